/** The local stack for tests, benchmarks and the demo: real Milvus servers and an AWS emulator, from packages. */
export { aws, awsEnvironment, s3Client, stackName } from "./aws.ts";
export { type BackupEnvironment, backupYaml } from "./backup-yaml.ts";
export { LocalStackError } from "./errors.ts";
export { type MilvusOptions, type MilvusService, milvusService } from "./milvus.ts";
export type { ObjectStore } from "./milvus-config.ts";
export { type MinioOptions, type MinioService, minioService } from "./minio.ts";
export { type MinioEnvironment, minioEnvironments } from "./minio-environments.ts";
export { formatReport, type Reporter, type StepReport } from "./reporter.ts";
export { type Service, type ServiceStatus, startService, statusOf, stopService } from "./service.ts";
export {
  backupPlace,
  deploy,
  down,
  type MilvusInfo,
  milvusServers,
  type StackInfo,
  stackInfo,
  status,
  type UpOptions,
  up,
} from "./stack.ts";
