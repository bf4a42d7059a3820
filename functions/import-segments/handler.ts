import { restoreStepRequest } from "../../src/core/messages.ts";
import { importSegments } from "../../src/steps/import-segments.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(restoreStepRequest, importSegments, milvusContext());
