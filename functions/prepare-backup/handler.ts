import { backupStepRequest } from "../../src/core/execution/messages.ts";
import { prepareBackup } from "../../src/steps/backup/prepare-backup.ts";
import { outlasting } from "../../src/steps/shared/outlasting.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(backupStepRequest, outlasting("backup", prepareBackup), milvusContext());
