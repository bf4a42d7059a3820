import { backupStepRequest } from "../../src/core/messages.ts";
import { prepareBackup } from "../../src/steps/prepare-backup.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(backupStepRequest, prepareBackup, milvusContext());
