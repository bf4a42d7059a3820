import { restoreStepRequest } from "../../src/core/execution/messages.ts";
import { finishRestore } from "../../src/steps/restore/finish-restore.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(restoreStepRequest, finishRestore, milvusContext());
