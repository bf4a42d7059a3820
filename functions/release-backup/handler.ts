import { backupStepRequest } from "../../src/core/messages.ts";
import { releaseBackup } from "../../src/steps/release-backup.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { releaseHandler } from "../shared/release-handler.ts";

export const handler = releaseHandler("backup", backupStepRequest, releaseBackup, milvusContext());
