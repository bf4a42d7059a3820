import { backupStepRequest } from "../../src/core/execution/messages.ts";
import { releaseBackup } from "../../src/steps/backup/release-backup.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { releaseHandler } from "../shared/release-handler.ts";

export const handler = releaseHandler("backup", backupStepRequest, releaseBackup, milvusContext());
