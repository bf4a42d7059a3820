import { restoreStepRequest } from "../../src/core/execution/messages.ts";
import { recreateCollections } from "../../src/steps/restore/recreate-collections.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(restoreStepRequest, recreateCollections, milvusContext());
