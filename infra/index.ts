/** What other CDK apps get: docs/construct.md. */
export { BackupEventsForwarder, type BackupEventsForwarderProps } from "./events-forwarder.ts";
export { MilvusBackup, type MilvusBackupBucket, type MilvusBackupProps } from "./milvus-backup.ts";
export type { PipelineOptions } from "./pipeline-options.ts";
