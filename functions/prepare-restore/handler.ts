import { restoreStepRequest } from "../../src/core/execution/messages.ts";
import { prepareRestore } from "../../src/steps/restore/prepare-restore.ts";
import { outlasting } from "../../src/steps/shared/outlasting.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { signingKeys } from "../shared/signing-keys.ts";
import { stepHandler } from "../shared/step-handler.ts";

const payloads = async () => (await import("#payloads/parquet")).parquetPayloads;

const context = { ...milvusContext(), signingKeys, payloads };

export const handler = stepHandler(restoreStepRequest, outlasting("restore", prepareRestore), context);
