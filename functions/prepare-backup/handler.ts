import { backupStepRequest } from "../../src/core/execution/messages.ts";
import { parseRequest } from "../../src/core/execution/parse-request.ts";
import { prepareBackup } from "../../src/steps/backup/prepare-backup.ts";
import { checkMilvus } from "../../src/steps/check/check-milvus.ts";
import { outlasting } from "../../src/steps/shared/outlasting.ts";
import { answeringChecks } from "../shared/check-door.ts";
import { milvusContext } from "../shared/milvus-context.ts";
import { observedHandler } from "../shared/step-handler.ts";

const payloads = async () => (await import("#payloads/parquet")).parquetPayloads;

const context = { ...milvusContext(), payloads };
const step = outlasting("backup", prepareBackup);

export const handler = observedHandler(
  answeringChecks(
    async ({ environment: name }) => {
      const environment = await context.environments.get(name);
      return checkMilvus(
        environment,
        async (use) => use(await context.connectMilvus(environment)),
        () => context.openStore({ environment: name, side: "milvus" }),
      );
    },
    async (event) => step(parseRequest(backupStepRequest, event), context),
  ),
);
