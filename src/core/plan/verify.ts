import * as z from "zod";
import { type ObjectProblem, objectProblem, problemKinds } from "../execution/copy-plan.ts";
import { shortHash } from "../execution/deterministic-id.ts";
import { verifiedRows } from "../execution/messages.ts";

/** What of a collection's rows is going to be read. */
const rowsPlan = z.object({
  /** As it was asked for, of 100. */
  percent: z.number(),
  /** Of the whole backup, as its metas say it. */
  ofRows: z.number(),
  /** Segments that are read. */
  segments: z.number(),
  /** Segments whose storage is not read: packed Parquet (Milvus 2.6). */
  unread: z.number(),
  collections: z.array(
    z.object({
      /** `db.coll` */
      collection: z.string(),
      /** Whether the backup knows its instant. */
      isCut: z.boolean(),
      /** Milvus gives the keys out: none of them comes twice. */
      givesKeys: z.boolean(),
      primaryKey: z.object({ name: z.string(), id: z.string() }),
    }),
  ),
});
export type RowsPlan = Readonly<z.infer<typeof rowsPlan>>;

/** What a verification is going to look at; a file in the work bucket, written by Prepare Verify. */
export const verifyPlan = z.object({
  backupName: z.string(),
  /** Of the backup as its metas tell it; absent where they cannot be read. */
  backupId: z.string().optional(),
  /** Which Milvus an incremental backup is of; absent for a plain one. */
  source: z.string().optional(),
  /** The file that holds the segments, and its version when it was read: while it lies there, the backup is the one that was planned. */
  record: z.object({ key: z.string(), etag: z.string() }),
  /** What its objects are compared with: `nothing` where both are damaged. */
  against: z.enum(["manifest", "metas", "nothing"]),
  /** Percent of the bytes to read; 0 where the store's own checksums are enough. */
  percent: z.number(),
  seal: z.boolean(),
  /** What is wrong with its metas and its manifest. */
  problems: z.array(objectProblem),
  warnings: z.array(z.string()).readonly(),
  /** For progress displays. */
  totals: z.object({ collections: z.number(), segments: z.number(), objects: z.number(), bytes: z.number() }),
  /** Absent where no rows are read. */
  rows: rowsPlan.optional(),
});
export type VerifyPlan = Readonly<z.infer<typeof verifyPlan>>;

/** How many problems of each kind there are. */
const problemCounts = z.object({
  missing: z.number(),
  extra: z.number(),
  truncated: z.number(),
  altered: z.number(),
  inconsistent: z.number().default(0),
});
export type ProblemCounts = z.infer<typeof problemCounts>;

/** What a verification found: `findings.json` in the work bucket, whatever the execution answers. `problems/` names each problem. */
export const verifyFindings = z.object({
  backupName: z.string(),
  outcome: z.enum(["passed", "failed"]),
  depth: z.enum(["size", "sample", "content", "rows"]),
  percent: z.number(),
  /** Every collection with what was read of its rows. */
  rows: verifiedRows.optional(),
  objects: z.number(),
  bytes: z.number(),
  readObjects: z.number(),
  readBytes: z.number(),
  bySize: z.number(),
  problems: problemCounts,
  /** How many files name them. */
  problemFiles: z.number(),
  warnings: z.array(z.string()).readonly(),
});
export type VerifyFindings = Readonly<z.infer<typeof verifyFindings>>;

/** As many problems are in one file: a few megabytes, written with one request. */
export const problemsPerFile = 20_000;

/** A line of a file of problems. */
export function printProblem(problem: ObjectProblem): string {
  return `${JSON.stringify(problem)}\n`;
}

/** What is wrong with one object, for people. */
export function tellProblem({ key, kind, detail }: ObjectProblem): string {
  return `${kind}: ${key}${detail === "" ? "" : ` (${detail})`}`;
}

/** `3 missing, 1 altered`; "" for none. */
export function tellCounts(counts: ProblemCounts): string {
  return problemKinds.flatMap((kind) => (counts[kind] > 0 ? [`${counts[kind]} ${kind}`] : [])).join(", ");
}

export function totalOf(counts: ProblemCounts): number {
  return problemKinds.reduce((sum, kind) => sum + counts[kind], 0);
}

/** How much of a backup was compared, by what was really read: `rows` is every content and every row. */
export function depthOf(
  asked: number,
  looked: Pick<VerifyFindings, "objects" | "bytes" | "readObjects" | "readBytes" | "rows">,
): Pick<VerifyFindings, "depth" | "percent"> {
  const { objects, bytes, readObjects, readBytes, rows } = looked;
  if (asked === 0 || (readObjects === 0 && objects > 0)) return { depth: "size", percent: 0 };
  if (readObjects === objects) return { depth: rows?.percent === 100 ? "rows" : "content", percent: 100 };
  // rounded down: 100 is said of everything only
  return { depth: "sample", percent: bytes === 0 ? 0 : Math.floor((readBytes / bytes) * 10_000) / 100 };
}

/**
 * Which objects a sample reads: random ones, other ones in each execution and the same ones however often a step runs, until they have the
 * share of the bytes that was asked for.
 */
export function sampleOf(
  objects: readonly { readonly key: string; readonly size: number }[],
  percent: number,
  execution: string,
): ReadonlySet<string> {
  if (percent <= 0) return new Set();
  if (percent >= 100) return new Set(objects.map(({ key }) => key));
  const bytes = objects.reduce((sum, { size }) => sum + size, 0);
  const drawn = objects
    .map(({ key, size }) => ({ key, size, lot: shortHash(execution, key) }))
    .sort((a, b) => (a.lot < b.lot ? -1 : 1));
  const sample = new Set<string>();
  let left = (bytes * percent) / 100;
  for (const { key, size } of drawn) {
    if (left <= 0) break;
    sample.add(key);
    left -= size;
  }
  return sample;
}
