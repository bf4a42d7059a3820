import type { Environment } from "../../core/environment/environment.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { TransferInput } from "../../core/execution/messages.ts";
import { sameBackupPlace } from "../shared/pinned-environments.ts";

/** @throws InvalidInput where two environments keep their backups in one place */
export function checkTwoPlaces(from: Environment, to: Environment, { plain }: Pick<TransferInput, "plain">): void {
  if (!sameBackupPlace(from, to)) return;
  const { bucket, rootPath } = to.backupStorage;
  throw new PipelineError(
    "InvalidInput",
    `environments ${from.name} and ${to.name} keep their backups in one place (${bucket}/${rootPath}): there is nothing to transfer, ${to.name} can restore the backup as it lies there` +
      (plain ? "; for a plain one name an environment with another backupRootPath" : ""),
    { details: { key: "to" } },
  );
}
