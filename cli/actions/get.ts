import { parseJson } from "../../src/core/format/lossless-json.ts";
import { backupInfo } from "../../src/core/format/meta.ts";
import { getBackup, outlineBackup } from "../../src/steps/catalog/get-backup.ts";
import { chosenEnvironment } from "../environments.ts";
import { backupDocument, formatBackup } from "../output/backup-document.ts";
import { backupLocation } from "../output/location.ts";
import type { VerbRun } from "../verbs/verb.ts";

interface GetOptions {
  readonly name: string;
  readonly detail?: true;
}

/** Shows what is in a backup. */
export async function get({ options, shared, output, context }: VerbRun<GetOptions>): Promise<void> {
  const environment = await chosenEnvironment(context, shared);
  const store = await context.connections.openStore(environment, "backup");
  const { rootPath } = environment.backupStorage;
  if (options.detail) {
    const found = await getBackup(store, rootPath, options.name);
    for (const warning of found.warnings) output.warn(warning);
    // Users come with their encrypted passwords, which belong on no screen.
    const shown = { ...found.backup, rbac_meta: undefined };
    output.record(parseJson(backupInfo.print(shown), "full_meta.json"));
    return;
  }
  const found = await outlineBackup(store, rootPath, options.name);
  for (const warning of found.warnings) output.warn(warning);
  const document = backupDocument(found, backupLocation(environment, options.name));
  output.result(document, formatBackup(document));
}
