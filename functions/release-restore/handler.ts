import { restoreStepRequest } from "../../src/core/execution/messages.ts";
import { releaseRestore } from "../../src/steps/restore/release-restore.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { releaseHandler } from "../shared/release-handler.ts";

export const handler = releaseHandler("restore", restoreStepRequest, releaseRestore, milvusContext());
