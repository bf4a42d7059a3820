import { PipelineError } from "../../core/execution/errors.ts";
import type { RestoreInput } from "../../core/execution/messages.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { segmentsOf } from "../../core/format/meta.ts";
import type { BackupOutline, CollectionOutline } from "../../core/format/outline.ts";
import { defaultDatabase, qualifiedName } from "../../core/milvus/names.ts";
import { features } from "../../core/milvus/version.ts";
import { collectionOf, plannedWorkingName } from "../../core/plan/restore.ts";
import type { RestoreName } from "../../core/plan/restore-names.ts";
import { overridesFor, shardsOf } from "../../core/plan/restore-overrides.ts";
import { hasDeletes } from "../../core/plan/segment-rows.ts";
import type { Milvus } from "../../ports/milvus.ts";
import { listDatabases } from "../shared/select-collections.ts";
import type { SeenTarget } from "./check-target.ts";

interface Restored {
  readonly restoreId: string;
  readonly version: string;
  readonly backup: BackupOutline;
  readonly names: readonly RestoreName[];
  readonly input: RestoreInput;
  readonly seen: readonly SeenTarget[];
}

/**
 * What the target would refuse only after hours of staging and importing, asked for before anything is made there.
 * @throws UnsupportedByTarget naming the collections and the key that helps
 */
export async function checkTargetLimits(milvus: Milvus, restored: Restored): Promise<void> {
  if (restored.input.skipCreate) return checkReleased(milvus, restored);
  const databases = new Set(await listDatabases(milvus, restored.version));
  await checkShards(milvus, databases, restored);
  await checkRoom(milvus, databases, restored);
}

/** Milvus imports the deletes of L0 segments, which come last, only into a collection that is neither loaded nor being loaded. */
async function checkReleased(milvus: Milvus, { backup, names, input }: Restored): Promise<void> {
  if (input.metadataOnly) return;
  const loaded: string[] = [];
  for (const { source, target } of names) {
    const imports = hasL0Deletes(collectionOf(backup, source));
    if (imports && (await milvus.isLoaded(target))) loaded.push(qualifiedName(target));
  }
  if (loaded.length === 0) return;
  throw new PipelineError(
    "UnsupportedByTarget",
    `skipCreate: the backup has deletes in L0 segments, which Milvus at ${milvus.address} imports only into collections that are not loaded: ` +
      `release ${shortList(loaded)}, start the restore again, and load afterwards`,
    { details: { key: "skipCreate" } },
  );
}

function hasL0Deletes(collection: CollectionOutline): boolean {
  return segmentsOf(collection).some((segment) => segment.is_l0 && hasDeletes(segment));
}

async function checkShards(
  milvus: Milvus,
  databases: ReadonlySet<string>,
  { backup, names, input }: Restored,
): Promise<void> {
  const planned = names
    .map(({ source, target }) => ({
      target,
      shards: shardsOf(collectionOf(backup, source).shards_num, overridesFor(target, input)),
    }))
    .sort((a, b) => b.shards - a.shards);
  const [most] = planned;
  if (!most || most.shards <= 1) return;
  const { database } = most.target;
  const limit = await milvus.shardLimit(databases.has(database) ? database : defaultDatabase, most.shards);
  if (limit === undefined) return;
  const tooMany = planned
    .filter(({ shards }) => shards > limit)
    .map(({ target, shards }) => `${qualifiedName(target)} (${shards})`);
  const isOverridden = overridesFor(most.target, { overrides: input.overrides }).shards !== undefined;
  const key = isOverridden ? "overrides" : input.shards === undefined ? "maxShards" : "shards";
  throw new PipelineError(
    "UnsupportedByTarget",
    `Milvus at ${milvus.address} makes no collection with more than ${limit} shards (proxy.maxShardNum): ${shortList(tooMany)}. ` +
      `Restore with fewer: maxShards (--max-shards ${limit}) for as many as it takes, shards (--shards), or fewer in overrides (--plan)`,
    { details: { key } },
  );
}

/** Only the limit of a database of its own is told (2.4.3+); Milvus keeps that of all databases to itself. */
async function checkRoom(milvus: Milvus, databases: ReadonlySet<string>, restored: Restored): Promise<void> {
  const { names, version, restoreId, input, seen } = restored;
  if (!features(version).describeDatabase) return;
  const options = { skipCreate: input.skipCreate ?? false };
  // What stands there keeps its room until the new one is complete.
  const toReplace = new Set(
    seen.flatMap(({ target, standing, old }) => (old !== undefined && old === standing ? [qualifiedName(target)] : [])),
  );
  for (const [database, members] of Map.groupBy(names, ({ target }) => target.database)) {
    if (!databases.has(database)) continue;
    const { properties } = await milvus.describeDatabase(database);
    const limit = Number(properties.find(({ key }) => key === maxCollections)?.value ?? Number.NaN);
    if (!(limit > 0)) continue;
    const there = new Set(await milvus.listCollections(database));
    // What an earlier run made counts already, under its working name or its own.
    const missing = members.filter(({ target }) => {
      const working = plannedWorkingName(target, { restoreId, version, options });
      const isNamed = there.has(target.collection) && !toReplace.has(qualifiedName(target));
      return !there.has(working.collection) && !isNamed;
    });
    if (missing.length === 0 || there.size + missing.length <= limit) continue;
    throw new PipelineError(
      "UnsupportedByTarget",
      `database ${database} of Milvus at ${milvus.address} may have ${limit} collections (${maxCollections}) and has ${there.size}: there is ` +
        `no room for ${missing.length} more (${shortList(missing.map(({ target }) => qualifiedName(target)))}). Raise its limit, or choose ` +
        "other collections (-c) or another database (renames, -r)",
      { details: { key: "collections" } },
    );
  }
}

/** The property of a database that limits its collections. */
const maxCollections = "database.max.collections";
