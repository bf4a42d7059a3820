import { backupStepRequest } from "../../src/core/execution/messages.ts";
import { prepareBackup } from "../../src/steps/backup/prepare-backup.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(backupStepRequest, prepareBackup, milvusContext());
