import type { RestoreInput } from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { wholeDatabase } from "../../core/milvus/names.ts";
import { parseRenames } from "../../core/milvus/renames.ts";
import { features } from "../../core/milvus/version.ts";
import type { PlannedDatabase } from "../../core/plan/planned-restore.ts";
import { differingProperties, propertiesOf } from "../../core/plan/restore-databases.ts";
import type { RestoreNames } from "../../core/plan/restore-names.ts";
import type { Milvus } from "../../ports/milvus.ts";
import { listDatabases } from "../shared/select-collections.ts";

const databaseConcurrency = 8;

/** Makes the databases that are not there; those that are stay as they are. */
export async function createDatabases(databases: readonly PlannedDatabase[], milvus: Milvus): Promise<void> {
  if (databases.length === 0) return;
  const existing = new Set(await milvus.listDatabases());
  for (const { name, properties } of databases) {
    if (existing.has(name)) continue;
    try {
      await milvus.createDatabase(name, properties);
    } catch (error) {
      // Another restore may have made it a moment ago, or this one, whose answer was lost.
      if (!(await milvus.listDatabases()).includes(name)) throw error;
    }
  }
}

/**
 * What is told of databases that are there already and stay as they are: properties that the backup has otherwise. Of a database into which
 * single collections are renamed nothing is told: it is another one.
 */
export async function databaseWarnings(
  milvus: Milvus,
  {
    version,
    backup,
    names,
    input,
  }: {
    readonly version: string;
    readonly backup: Pick<BackupOutline, "database_backups">;
    readonly names: RestoreNames;
    readonly input: Pick<RestoreInput, "renames">;
  },
): Promise<string[]> {
  if (!features(version).describeDatabase) return [];
  const renames = parseRenames(input.renames ?? {});
  const isSame = ({ source, target }: RestoreNames["databases"][number]) =>
    source === target || renames.get(`${source}.${wholeDatabase}`)?.targets.some(({ database }) => database === target);
  const pairs = [
    ...names.databases,
    ...names.collections.map(({ source, target }) => ({ source: source.database, target: target.database })),
  ].filter(isSame);
  const sources = new Map(pairs.map(({ source, target }) => [target, source]));
  const there = (await listDatabases(milvus, version)).filter((database) => sources.has(database));
  const warnings = await settleEach(there, databaseConcurrency, async (database) => {
    const source = sources.get(database) ?? database;
    const { properties } = await milvus.describeDatabase(database);
    const differences = differingProperties(propertiesOf(backup, source), properties);
    if (differences.length === 0) return [];
    return [`database ${database} is there, and stays as it is: ${shortList(differences, { separator: "; " })}`];
  });
  return warnings.flat();
}
