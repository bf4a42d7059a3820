import type { MergedLog } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { parseLogKey } from "../../core/format/layout.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";

const parallelLists = 16;

/** A log as it was put together; without an ETag where none is known yet. */
type WrittenLog = Pick<MergedLog, "key" | "size"> & { readonly etag?: string };

/**
 * Whether the directories of logs that were put together hold them, as they were written, and nothing else: Milvus imports what lies there.
 * @throws CopyMismatch
 */
export async function checkMerged(store: ObjectStore, logs: readonly MergedLog[]): Promise<void> {
  const byDirectory = [...Map.groupBy(logs, ({ key }) => directoryOf(key))];
  await settleEach(byDirectory, parallelLists, async ([directory, written]) => {
    const found: ObjectSummary[] = [];
    for await (const object of store.list(directory)) found.push(object);
    checkFound(store, written, found);
  });
}

/** `.../insert_log/<collection>/<partition>/<directory>/` of all its fields, and the same of delta logs. */
function directoryOf(key: string): string {
  const depth = parseLogKey(key)?.kind === "insert" ? 2 : 1;
  return `${key.split("/").slice(0, -depth).join("/")}/`;
}

/** @throws CopyMismatch where what a listing shows is not what was written */
export function checkFound(store: ObjectStore, written: readonly WrittenLog[], found: readonly ObjectSummary[]): void {
  const wanted = new Map(written.map((log) => [log.key, log]));
  const present = new Set(found.map(({ key }) => key));
  const differences = [
    ...written.filter(({ key }) => !present.has(key)).map(({ key }) => `${key} is missing`),
    ...found.flatMap(({ key, size, etag }) => {
      const log = wanted.get(key);
      if (log === undefined) return [`${key} does not belong there`];
      if (log.size !== size) return [`${key} has ${size} bytes instead of ${log.size}`];
      return log.etag === undefined || log.etag === etag ? [] : [`${key} was replaced`];
    }),
  ];
  if (differences.length === 0) return;
  throw new PipelineError(
    "CopyMismatch",
    `what was put together in ${store.label} is not there as it was written: ${shortList(differences, { limit: 3, separator: "; " })}. See what ` +
      "removes or replaces objects there (a lifecycle rule, another tool); then start the same command again",
  );
}
