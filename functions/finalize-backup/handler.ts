import { backupStepRequest } from "../../src/core/execution/messages.ts";
import { finalizeBackup } from "../../src/steps/backup/finalize-backup.ts";
import { lateMilvusContext } from "../shared/late-milvus-context.ts";
import { countScheduledBackup } from "../shared/observability.ts";
import { signingKeys } from "../shared/signing-keys.ts";
import { stepHandler } from "../shared/step-handler.ts";
import { optionalVariable } from "../shared/variable.ts";

const keyArn = optionalVariable("SIGN_BACKUPS");
const signer = keyArn === undefined ? undefined : { keyArn, keys: { sign: signWith } };

async function signWith(key: string, digest: Uint8Array) {
  return (await signingKeys()).sign(key, digest);
}

export const handler = stepHandler(
  backupStepRequest,
  async (request, context) => {
    const result = await finalizeBackup(request, context);
    if (result.outcome === "backed-up") countScheduledBackup(request.input.schedule);
    return result;
  },
  { ...lateMilvusContext(), signer },
);
