import { describeLock } from "../../src/core/execution/object-lock.ts";
import { exactCount } from "../../src/core/format/exact-count.ts";
import { isSelected, parseCollectionSelector, parseQualifiedName } from "../../src/core/milvus/names.ts";
import { type BackupSummary, listBackups } from "../../src/steps/catalog/list-backups.ts";
import type { DocumentOf } from "../documents/index.ts";
import { chosenEnvironment } from "../environments.ts";
import { selectedCollections } from "../options.ts";
import { drilledDocument, formatDrilled } from "../output/backup-document.ts";
import { formatBytes, formatCount, formatTime } from "../output/format.ts";
import { formatTable } from "../output/table.ts";
import { tellVerified, verifiedDocument } from "../output/verified.ts";
import type { VerbRun } from "../verbs/verb.ts";

interface ListOptions {
  readonly collections?: string;
  readonly all?: true;
}

/** Lists the backups in the backup bucket. */
export async function list({ options, shared, output, context }: VerbRun<ListOptions>): Promise<void> {
  const selectors = (selectedCollections(options) ?? []).map(parseCollectionSelector);
  const environment = await chosenEnvironment(context, shared);
  const store = await context.connections.openStore(environment, "backup");
  const found = await listBackups(store, environment.backupStorage.rootPath, {
    ...(options.all && { incompleteAt: context.clock.now() }),
    instants: output.json,
    now: context.clock.now(),
  });
  const backups = found.filter(
    ({ collections }) =>
      selectors.length === 0 || collections.some((name) => isSelected(selectors, parseQualifiedName(name))),
  );
  // it names the backup
  for (const { problem } of backups) if (problem !== undefined) output.warn(problem);
  const place = [environment.backupStorage.bucket, environment.backupStorage.rootPath].filter(Boolean).join("/");
  const withVerified = backups.some(({ verified }) => verified);
  const withOwn = backups.some(({ incremental }) => incremental);
  const withDrilled = backups.some(({ drilled }) => drilled !== undefined);
  const table = () =>
    formatTable(
      [
        { title: "NAME" },
        { title: "CREATED" },
        { title: "COLLECTIONS", align: "right" },
        { title: "SIZE", align: "right" },
        ...(withOwn ? [{ title: "OWN", align: "right" as const }] : []),
        ...(withVerified ? [{ title: "VERIFIED" }] : []),
        ...(withDrilled ? [{ title: "DRILLED" }] : []),
        { title: "MILVUS" },
        { title: "STATE" },
      ],
      backups.map((backup) => [
        backup.name,
        backup.createdAt ? formatTime(backup.createdAt) : "-",
        ...(backup.state === "complete"
          ? [formatCount(backup.collections.length), formatBytes(backup.size)]
          : ["-", "-"]),
        ...(withOwn ? [ownOf(backup)] : []),
        ...(withVerified ? [(backup.verified && tellVerified(verifiedDocument(backup.verified))) ?? "-"] : []),
        ...(withDrilled ? [backup.drilled ? formatDrilled(backup.drilled) : "-"] : []),
        backup.milvusVersion || "-",
        backup.lock ? `${backup.state}, ${describeLock(backup.lock)}` : backup.state,
      ]),
    );
  output.result(
    { kind: "backups", version: 1, environment: environment.name, location: place, backups: backups.map(toDocument) },
    output.json
      ? ""
      : backups.length > 0
        ? table()
        : found.length > 0
          ? noneHolds(options, place)
          : `There are no backups in ${place}.`,
  );
}

function noneHolds({ collections = "" }: ListOptions, place: string): string {
  return `No backup in ${place} holds ${collections}.`;
}

/** What deleting a backup would free. */
function ownOf({ state, incremental, size, ownBytes }: BackupSummary): string {
  if (state !== "complete") return "-";
  if (!incremental) return formatBytes(size);
  return ownBytes === undefined ? "-" : formatBytes(ownBytes);
}

function toDocument(backup: BackupSummary): DocumentOf<"backups">["backups"][number] {
  const { name, state, createdAt, incremental, ownBytes, verified, drilled, lock, problem } = backup;
  return {
    backupName: name,
    state,
    ...(createdAt && { createdAt: createdAt.toISOString() }),
    ...(state === "complete" && describe(backup)),
    incremental,
    ...(ownBytes !== undefined && { ownBytes }),
    ...(verified && { verified: verifiedDocument(verified) }),
    ...(drilled && { drilled: drilledDocument(drilled) }),
    ...(lock && { lock }),
    ...(problem !== undefined && { problem }),
  };
}

function describe({ name, collections, instants, size, milvusVersion }: BackupSummary) {
  const cuts = new Map(instants.map(({ collection, ...instant }) => [collection, instant]));
  return {
    collections: collections.map((collection) => {
      const instant = cuts.get(collection);
      return { collection, ...(instant && { instant }) };
    }),
    bytes: exactCount(size, `the bytes of backup ${name}`),
    milvusVersion,
  };
}
