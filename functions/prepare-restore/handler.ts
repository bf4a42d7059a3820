import { restoreStepRequest } from "../../src/core/execution/messages.ts";
import { prepareRestore } from "../../src/steps/restore/prepare-restore.ts";
import { outlasting } from "../../src/steps/shared/outlasting.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(restoreStepRequest, outlasting("restore", prepareRestore), milvusContext());
