import * as z from "zod";
import { shortHash } from "../execution/deterministic-id.ts";
import { workPrefixes } from "../execution/work-layout.ts";
import type { CollectionName, Id } from "../milvus/descriptions.ts";
import { defaultDatabase, qualifiedName } from "../milvus/names.ts";
import type { Standing } from "./replacement.ts";

/** Where it is written what a drill makes, until it has dropped it: key of the work bucket. It outlives the drill that died. */
export function drillRecordKey(execution: string): string {
  return `${workPrefixes.drills}${execution}.json`;
}

/** What a drill is about: its plan, and, until all is dropped again, its record. */
export const drillRecord = z.object({
  version: z.literal(1),
  executionArn: z.string(),
  /** The target, as it is registered. */
  environment: z.string(),
  from: z.string(),
  backupName: z.string(),
  /** ISO 8601: right before the restore was started. */
  startedAt: z.iso.datetime(),
  /** ISO 8601: the earliest instant of what is restored; absent where the backup has none. */
  instant: z.iso.datetime().optional(),
  /** Name and ARN of the execution that restores. */
  restoreExecution: z.string(),
  restoreArn: z.string(),
  /** Key of its mark as a reader of the backup. */
  readerKey: z.string(),
  suffix: z.string(),
  renames: z.record(z.string(), z.string()).optional(),
  collections: z.number().int().min(0),
  /** Its commit record when it was chosen: another one is another backup. Absent in records of earlier versions. */
  committed: z.object({ key: z.string(), etag: z.string() }).optional(),
  /** true: its restore was stopped, and what that made is dropped; once more, as a step of it may have gone on. */
  stopped: z.boolean().optional(),
});
export type DrillRecord = Readonly<z.infer<typeof drillRecord>>;

/** Names of a drill's own: what it restores gets the suffix, or another name where that would not do. */
export interface DrillNames {
  readonly suffix: string;
  /** By `db.coll` of the backup. */
  readonly renames: Readonly<Record<string, string>>;
}

const longestMilvusName = 255;

/**
 * Names for what a drill makes: `coll_drill_20261128_1a2b3c4d`, no two drills' alike. All of it goes into the database `default`, so that no
 * database is made that nobody could tell from others afterwards; the name of another one stands before the collection's.
 * @param executionArn of the drill
 * @param startTime ISO 8601
 */
export function drillNames(
  collections: readonly CollectionName[],
  { executionArn, startTime }: { readonly executionArn: string; readonly startTime: string },
): DrillNames {
  const date = startTime.slice(0, 10).replaceAll("-", "");
  const suffix = `_drill_${date}_${shortHash(executionArn).slice(0, 8)}`;
  const isPlain = ({ database, collection }: CollectionName) =>
    (database || defaultDatabase) === defaultDatabase && collection.length + suffix.length <= longestMilvusName;
  const taken = new Set(collections.filter(isPlain).map(({ collection }) => collection + suffix));
  const renames: Record<string, string> = {};
  for (const name of collections.filter((one) => !isPlain(one))) {
    const isDefault = (name.database || defaultDatabase) === defaultDatabase;
    const base = isDefault ? name.collection : `${name.database}_${name.collection}`;
    const whole = base + suffix;
    const ending = `_${shortHash(qualifiedName(name))}${suffix}`;
    const renamed =
      whole.length <= longestMilvusName && !taken.has(whole)
        ? whole
        : base.slice(0, longestMilvusName - ending.length) + ending;
    taken.add(renamed);
    renames[qualifiedName(name)] = `${defaultDatabase}.${renamed}`;
  }
  return { suffix, renames };
}

/** The longest name of an execution. */
const longestExecutionName = 80;
const drillRestorePrefix = "drill-";

/** Names the execution that restores for a drill: the same for every run of its first step. */
export function drillRestoreExecution(backupName: string, executionArn: string): string {
  const ending = `-${shortHash("drill", executionArn)}`;
  // CloudWatch shows only names of these characters.
  const subject = backupName.replace(/[^A-Za-z0-9_-]/g, "_");
  return (
    drillRestorePrefix + subject.slice(0, longestExecutionName - drillRestorePrefix.length - ending.length) + ending
  );
}

/** Whether an execution of the machine `restore` is a drill's own. */
export function isDrillRestore(executionName: string): boolean {
  return executionName.startsWith(drillRestorePrefix);
}

/** A backup that a drill can choose. */
export interface DrillCandidate {
  readonly name: string;
  /** undefined where nobody knows. */
  readonly created: Date | undefined;
}

/**
 * Which backup a drill proves; of a random choice it is the same however often the step runs.
 * @returns undefined where there is none
 */
export function chooseCandidate<T extends DrillCandidate>(
  candidates: readonly T[],
  pick: "newest" | "random",
  executionArn: string,
): T | undefined {
  if (pick === "random") {
    const inOrder = [...candidates].sort((a, b) => (a.name < b.name ? -1 : 1));
    return inOrder[Number.parseInt(shortHash("pick", executionArn), 16) % inOrder.length];
  }
  const age = ({ created }: DrillCandidate) => created?.getTime() ?? Number.NEGATIVE_INFINITY;
  return [...candidates].sort((a, b) => age(b) - age(a) || (a.name < b.name ? 1 : -1))[0];
}

/**
 * Whether a drill drops what stands under one of its names: the collection whose ID its restore noted, and no other. Where none is noted (the
 * restore ended before it wrote it down), an empty one under the working name, which no other restore has.
 * - `leave`: nothing stands there, or an alias, which is none of ours
 * - `foreign`: another collection has the name
 */
export function dropOf(
  noted: Id | undefined,
  standing: Standing | undefined,
  under: { readonly name: "working" | "target"; readonly isEmpty: boolean },
): "drop" | "leave" | "foreign" {
  if (standing === undefined) return "leave";
  if (standing.alias) return "foreign";
  if (noted !== undefined) return standing.id === noted ? "drop" : "foreign";
  return under.name === "working" && under.isEmpty ? "drop" : "foreign";
}

/**
 * What is wrong with the rows that a query counts in a restored collection; undefined for nothing.
 * @param rows as the restore counted them, by Milvus's statistics
 * @param hasLevelZero the backup holds L0 segments: Milvus applies their deletes as it reads, and its statistics do not know them
 */
export function countProblem(rows: bigint, counted: bigint, hasLevelZero: boolean): string | undefined {
  if (counted === rows || (counted < rows && hasLevelZero)) return undefined;
  return `a query counts ${counted} rows, and the restore brought ${rows}`;
}
