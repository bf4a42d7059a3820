import { restoreStepRequest } from "../../src/core/messages.ts";
import { releaseRestore } from "../../src/steps/release-restore.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { releaseHandler } from "../shared/release-handler.ts";

export const handler = releaseHandler("restore", restoreStepRequest, releaseRestore, milvusContext());
