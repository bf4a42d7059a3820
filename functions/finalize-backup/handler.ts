import { backupStepRequest } from "../../src/core/messages.ts";
import { finalizeBackup } from "../../src/steps/finalize-backup.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(backupStepRequest, finalizeBackup, milvusContext());
