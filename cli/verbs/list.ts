import { type Command, Option } from "commander";
import type { BackupSummary } from "../../src/steps/catalog/list-backups.ts";
import { chosenEnvironment } from "../environments.ts";
import { selectedCollections } from "../options.ts";
import { examples, type VerbHost, type VerbRun } from "./verb.ts";

interface ListOptions {
  readonly collections?: string;
  readonly all?: true;
}

/** Adds `list`: the backups in an environment's backup bucket. */
export function addList(program: Command, host: VerbHost): void {
  program
    .command("list")
    .description("list the backups in the backup bucket")
    .addOption(new Option("-c, --collections <names>", "only backups that hold one of these: coll, db.coll or db.*"))
    .addOption(new Option("--all", "also incomplete ones: being written, or left behind by a failure"))
    .addHelpText(
      "after",
      examples(
        ["all of them", "--config milvus-a.yaml list"],
        ["those that hold a collection, for a program", "--config milvus-a.yaml --json list -c shop.orders"],
      ),
    )
    .action(host.action(list));
}

async function list({ options, shared, output, context }: VerbRun<ListOptions>): Promise<void> {
  const [{ isSelected, parseCollectionSelector, parseQualifiedName }, { listBackups }, format, { formatTable }] =
    await Promise.all([
      import("../../src/core/milvus/names.ts"),
      import("../../src/steps/catalog/list-backups.ts"),
      import("../output/format.ts"),
      import("../output/table.ts"),
    ]);
  const selectors = (selectedCollections(options) ?? []).map(parseCollectionSelector);
  const environment = await chosenEnvironment(context, shared);
  const store = await context.connections.openStore(environment, "backup");
  const found = await listBackups(store, environment.backupStorage.rootPath, { incomplete: options.all === true });
  const backups = found.filter(
    ({ collections }) =>
      selectors.length === 0 || collections.some((name) => isSelected(selectors, parseQualifiedName(name))),
  );
  for (const { name, problem } of backups) {
    if (problem !== undefined) output.warn(`${name}: ${problem}`);
  }
  const place = [environment.backupStorage.bucket, environment.backupStorage.rootPath].filter(Boolean).join("/");
  const table = formatTable(
    [
      { title: "NAME" },
      { title: "CREATED" },
      { title: "COLLECTIONS", align: "right" },
      { title: "SIZE", align: "right" },
      { title: "MILVUS" },
      { title: "STATE" },
    ],
    backups.map((backup) => [
      backup.name,
      backup.createdAt ? format.formatTime(backup.createdAt) : "-",
      ...(backup.state === "complete"
        ? [format.formatCount(backup.collections.length), format.formatBytes(backup.size)]
        : ["-", "-"]),
      backup.milvusVersion || "-",
      backup.state,
    ]),
  );
  output.result(
    { environment: environment.name, location: place, backups: backups.map(toDocument) },
    backups.length === 0 ? `There are no backups in ${place}.` : table,
  );
}

function toDocument({ createdAt, ...backup }: BackupSummary) {
  return { ...backup, ...(createdAt && { createdAt: createdAt.toISOString() }) };
}
