import { restoreStepRequest } from "../../src/core/messages.ts";
import { finishRestore } from "../../src/steps/finish-restore.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(restoreStepRequest, finishRestore, milvusContext());
