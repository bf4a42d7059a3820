import type { CopyPrefix, CopySegment, SegmentReceipt } from "../../core/execution/copy-plan.ts";
import { shortList } from "../../core/execution/short-list.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";

/** One prefix of a segment with the objects of it that are to be copied. */
export interface ListedPrefix {
  readonly prefix: CopyPrefix;
  readonly objects: readonly ObjectSummary[];
  /** Relative paths the plan names that were not found. */
  readonly missing: readonly string[];
}

type Problem = Pick<SegmentReceipt, "outcome" | "problem">;

/** Takes the objects a plan wants out of what lies below a prefix: all, or only the named ones. */
export function selectObjects(prefix: CopyPrefix, listed: readonly ObjectSummary[]): ListedPrefix {
  if (prefix.only === undefined) return { prefix, objects: listed, missing: [] };
  const wanted = new Set(prefix.only);
  const objects = listed.filter(({ key }) => wanted.has(relativePath(prefix, key)));
  const present = new Set(objects.map(({ key }) => relativePath(prefix, key)));
  return { prefix, objects, missing: prefix.only.filter((path) => !present.has(path)) };
}

/** What keeps a segment from being copied as it lies there; undefined where nothing does. */
export function findProblem(
  segment: CopySegment,
  listed: readonly ListedPrefix[],
  options: { checkLogCounts: boolean },
): Problem | undefined {
  for (const { prefix, objects } of listed) {
    const problem = differsFromExpected(prefix, objects);
    if (problem !== undefined) return { outcome: "mismatch", problem: `segment ${segment.segmentId}: ${problem}` };
  }
  const missing = listed.flatMap((entry) => entry.missing.map((path) => entry.prefix.from + path));
  if (missing.length > 0) {
    return {
      outcome: "source-changed",
      problem: `segment ${segment.segmentId}: ${shortList(missing, named)} not there any more`,
    };
  }
  const insert = listed.filter(({ prefix }) => prefix.kind === "insert");
  const hasRows = !segment.isL0 && segment.rows !== "0";
  if (hasRows && insert.length > 0 && insert.every(({ objects }) => objects.length === 0)) {
    const where = insert.map(({ prefix }) => prefix.from).join(", ");
    const problem = `segment ${segment.segmentId} has ${segment.rows} rows but no insert logs below ${where}`;
    return { outcome: "source-changed", problem };
  }
  const deletes = listed.filter(({ prefix }) => prefix.kind === "delta");
  if (segment.isL0 && deletes.length > 0 && deletes.every(({ objects }) => objects.length === 0)) {
    const where = deletes.map(({ prefix }) => prefix.from).join(", ");
    // Whatever Milvus counts as its rows: without deletes there would be no such segment.
    return { outcome: "source-changed", problem: `L0 segment ${segment.segmentId} has no delta logs below ${where}` };
  }
  if (options.checkLogCounts) {
    for (const entry of insert) {
      const problem = unequalLogCounts(entry) ?? missingFields(entry, hasRows ? segment.fieldIds : undefined);
      if (problem !== undefined) {
        return { outcome: "inconsistent-logs", problem: `segment ${segment.segmentId}: ${problem}` };
      }
    }
  }
  return undefined;
}

/** How a message names what differs: many segments may have something to say. */
const named = { limit: 3, separator: "; " };

function differsFromExpected(prefix: CopyPrefix, objects: readonly ObjectSummary[]): string | undefined {
  if (prefix.expect === undefined) return undefined;
  const sizes = new Map(objects.map(({ key, size }) => [relativePath(prefix, key), size]));
  const expected = new Set(prefix.expect.map(({ path }) => path));
  const differences = [
    ...prefix.expect.flatMap(({ path, size }) => {
      const found = sizes.get(path);
      if (found === undefined) return [`${path} is missing`];
      return found === size ? [] : [`${path} has ${found} bytes instead of ${size}`];
    }),
    ...[...sizes.keys()].filter((path) => !expected.has(path)).map((path) => `${path} is not in the meta`),
  ];
  return differences.length === 0 ? undefined : `below ${prefix.from}: ${shortList(differences, named)}`;
}

/** Every field of a segment has the same number of logs, `<field>/<log>` each; orphans of a failed flush break that. */
function unequalLogCounts({ prefix, objects }: ListedPrefix): string | undefined {
  const counts = new Map<string, number>();
  for (const { key } of objects) {
    const path = relativePath(prefix, key);
    const field = path.slice(0, Math.max(0, path.indexOf("/")));
    counts.set(field, (counts.get(field) ?? 0) + 1);
  }
  if (new Set(counts.values()).size <= 1) return undefined;
  const perField = [...counts].map(([field, count]) => `field ${field} ${count}`);
  return `its fields do not have the same number of logs below ${prefix.from}: ${perField.join(", ")}`;
}

/** A field without any log: unequal counts show only among the fields that have some. */
function missingFields({ prefix, objects }: ListedPrefix, fieldIds: readonly string[] | undefined): string | undefined {
  if (fieldIds === undefined) return undefined;
  const present = new Set(objects.map(({ key }) => relativePath(prefix, key).split("/", 1)[0]));
  const missing = fieldIds.filter((field) => !present.has(field));
  return missing.length === 0 ? undefined : `it has no logs of field ${missing.join(", ")} below ${prefix.from}`;
}

/** The part of a key below its prefix. */
export function relativePath(prefix: CopyPrefix, key: string): string {
  return key.slice(prefix.from.length);
}
