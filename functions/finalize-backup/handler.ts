import { backupStepRequest } from "../../src/core/execution/messages.ts";
import { finalizeBackup } from "../../src/steps/backup/finalize-backup.ts";
import { lateMilvusContext } from "../shared/late-milvus-context.ts";
import { countScheduledBackup } from "../shared/observability.ts";
import { stepHandler } from "../shared/step-handler.ts";

export const handler = stepHandler(
  backupStepRequest,
  async (request, context) => {
    const result = await finalizeBackup(request, context);
    if (result.outcome === "backed-up") countScheduledBackup(request.input.schedule);
    return result;
  },
  lateMilvusContext(),
);
