import { PipelineError } from "../../core/execution/errors.ts";
import type { RestoreInput } from "../../core/execution/messages.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { unsupportedBy } from "../../core/milvus/schema-checks.ts";
import { sameSchema } from "../../core/milvus/schema-comparison.ts";
import { toSchemaDescription } from "../../core/milvus/schema-mapping.ts";
import { features, restorableInto } from "../../core/milvus/version.ts";
import { oldOne, type Sight } from "../../core/plan/replacement.ts";
import { collectionOf, plannedWorkingName } from "../../core/plan/restore.ts";
import { type RestoreName, replacedName } from "../../core/plan/restore-names.ts";
import { type CollectionRecord, type ReplacedRecord, recordOf } from "../../core/plan/restore-work.ts";
import type { Id, Milvus } from "../../ports/milvus.ts";
import { listDatabases } from "../shared/select-collections.ts";
import { standingUnder } from "./standing.ts";

export interface TargetCheck {
  readonly restoreId: string;
  readonly version: string;
  readonly backup: BackupOutline;
  readonly names: readonly RestoreName[];
  readonly input: RestoreInput;
  /** What earlier executions of this very restore made, and what they saw under the target names. */
  readonly made: readonly CollectionRecord[];
  readonly replaced: readonly ReplacedRecord[];
}

/** What stands under one target name. */
export interface SeenTarget {
  readonly target: RestoreName["target"];
  /** ID of the collection that has the name; absent where none has. */
  readonly standing?: Id;
  /** ID of the collection that is to be replaced: it has the name, or had it and moved aside. */
  readonly old?: Id;
}

/**
 * Everything about the target that speaks against the restore, before anything is made there.
 * @throws UnsupportedByTarget, TargetExists, CollectionNotFound, SchemaMismatch, naming what and what to do
 */
export async function checkTarget(milvus: Milvus, check: TargetCheck): Promise<SeenTarget[]> {
  const { version, backup, names, input } = check;
  const tooNew = restorableInto(backup.milvus_version, version);
  if (tooNew) throw new PipelineError("UnsupportedByTarget", tooNew);
  const unsupported = names.flatMap(({ source, target }) =>
    unsupportedBy(version, collectionOf(backup, source), target).map((what) => `${qualifiedName(source)}: ${what}`),
  );
  if (unsupported.length > 0) {
    throw new PipelineError(
      "UnsupportedByTarget",
      `Milvus ${version} at ${milvus.address} does not know: ${shortList(unsupported, { separator: "; " })}`,
    );
  }

  const databases = new Set(await listDatabases(milvus, version));
  const seen: SeenTarget[] = [];
  const existing: string[] = [];
  for (const { source, target } of names) {
    const exists = databases.has(target.database) && (await milvus.hasCollection(target));
    if (exists) await checkNoAlias(milvus, target);
    if (input.skipCreate) await checkSameSchema(milvus, backup, source, target, exists);
    const found = databases.has(target.database) ? await lookAt(milvus, target, exists, check) : { target };
    seen.push(input.skipCreate ? { target, ...(found.standing && { standing: found.standing }) } : found);
    if (found.old !== undefined && found.old === found.standing) existing.push(qualifiedName(target));
  }
  if (existing.length === 0 || input.skipCreate) return seen;
  const exist = `${shortList(existing)} exist${existing.length === 1 ? "s" : ""} already in Milvus at ${milvus.address}`;
  if (!input.dropExisting) {
    throw new PipelineError(
      "TargetExists",
      `${exist}: choose a suffix (-s) or a rename (-r), or replace with dropExisting (--drop-existing)`,
      { details: { key: "suffix" } },
    );
  }
  if (!features(version).rename) {
    throw new PipelineError(
      "UnsupportedByTarget",
      `${exist}: Milvus ${version} cannot rename collections, so dropExisting could not keep the old one until the new one is complete. Drop it yourself, or choose a suffix`,
      { details: { key: "dropExisting" } },
    );
  }
  return seen;
}

/** Milvus answers for an alias as for its collection, and neither drops a collection by its alias nor gives another its name. */
async function checkNoAlias(milvus: Milvus, target: RestoreName["target"]): Promise<void> {
  const holder = await milvus.describeAlias(target.database, target.collection);
  if (holder === undefined || holder === target.collection) return;
  throw new PipelineError(
    "TargetExists",
    `${qualifiedName(target)} is an alias of collection ${holder} in Milvus at ${milvus.address}: choose another name with a suffix (-s) or a rename (-r), or drop the alias`,
    { details: { key: "suffix" } },
  );
}

/** What has the name, and which collection is replaced; what a failed run of this very restore made there is not. */
async function lookAt(
  milvus: Milvus,
  target: RestoreName["target"],
  exists: boolean,
  { made, replaced, restoreId, version, input }: TargetCheck,
): Promise<SeenTarget> {
  const options = { skipCreate: input.skipCreate ?? false };
  const record = recordOf(made, { target, working: plannedWorkingName(target, { restoreId, version, options }) });
  const remembered = replaced.find((one) => one.target === qualifiedName(target))?.id;
  const standing = exists ? await standingUnder(milvus, target) : undefined;
  const aside = remembered === undefined ? undefined : await standingUnder(milvus, replacedName(target, remembered));
  const sight: Sight = { ...(standing && { target: standing }), ...(aside && { replaced: aside }) };
  const found = oldOne({ made: record?.id, old: remembered }, sight);
  if (found === "taken") {
    throw new PipelineError(
      "TargetExists",
      `the collection that this restore replaces stands as ${qualifiedName(replacedName(target, remembered ?? ""))} in Milvus at ${milvus.address}, ` +
        `and meanwhile somebody made another ${qualifiedName(target)}: rename or drop one of the two, then start the same restore again`,
      { details: { key: "dropExisting" } },
    );
  }
  return { target, ...(standing && { standing: standing.id }), ...(found.old !== undefined && { old: found.old }) };
}

async function checkSameSchema(
  milvus: Milvus,
  backup: BackupOutline,
  source: RestoreName["source"],
  target: RestoreName["target"],
  exists: boolean,
): Promise<void> {
  if (!exists) {
    throw new PipelineError(
      "CollectionNotFound",
      `skipCreate: there is no collection ${qualifiedName(target)} in Milvus at ${milvus.address} to import into`,
      { details: { key: "skipCreate" } },
    );
  }
  const { schema } = await milvus.describeCollection(target);
  const collection = collectionOf(backup, source);
  const differences = sameSchema(toSchemaDescription(collection.schema), schema);
  if (collection.schema.fields.some((field) => field.is_partition_key)) {
    // Milvus looks for a key in the partition that its hash gives among so many: rows of another count are found by no query.
    const [ours, theirs] = [collection.partition_backups.length, (await milvus.listPartitions(target)).length];
    if (ours !== theirs) {
      differences.push(`the number of partitions of its key is ${ours} in the backup and ${theirs} in the target`);
    }
  }
  if (differences.length > 0) {
    throw new PipelineError(
      "SchemaMismatch",
      `skipCreate: ${qualifiedName(target)} has another schema than the backup's ${qualifiedName(source)}: ${shortList(differences, { separator: "; " })}`,
      { details: { key: "skipCreate" } },
    );
  }
}
