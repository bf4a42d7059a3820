import { restoreStepRequest } from "../../src/core/execution/messages.ts";
import { importSegments } from "../../src/steps/restore/import-segments.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(restoreStepRequest, importSegments, milvusContext());
