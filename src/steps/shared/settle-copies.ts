import type { CopiedLog } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { KeyTable } from "../../core/execution/key-table.ts";
import { parseLogKey } from "../../core/format/layout.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import type { StepContext } from "../../ports/step-context.ts";
import type { StoredBackup } from "./stored-backup.ts";

const namedObjects = 3;
const keysPerDelete = 1_000;

/** Tags of an expected object. */
const notSeen = 0;
const seen = 1;
const seenDifferent = 2;

/** Everything that was copied. */
export interface CopiedObjects {
  /** How many they are. */
  readonly count: number;
  /** Reads them anew with each call: millions of them are not held. */
  readonly logs: () => AsyncIterable<CopiedLog>;
  /** Whose they are. */
  readonly collectionIds: () => Iterable<string>;
}

interface SettleOptions {
  /** @throws where somebody else has the backup by now; asked before every deletion: listings of millions of objects take minutes */
  readonly confirm: () => Promise<void>;
}

/** What copies left behind, in hashes: every object that must be there before a backup is committed. */
class ExpectedObjects {
  readonly #table: KeyTable;
  #good = 0;

  constructor(count: number) {
    this.#table = new KeyTable(count);
  }

  get size(): number {
    return this.#table.size;
  }

  /** How many were not seen as they were copied. */
  get unsettled(): number {
    return this.size - this.#good;
  }

  add({ key, size, etag }: CopiedLog): void {
    this.#table.set(key, contentOf(size, etag), notSeen);
  }

  /** Notes what a listing shows; false where nobody copied it. */
  see({ key, size, etag }: ObjectSummary): boolean {
    const slot = this.#table.slotOf(key);
    if (slot === undefined) return false;
    const isSame = [etag, ""].some((known) => this.#table.hasValue(slot, contentOf(size, known)));
    if (isSame && this.#table.tagOf(slot) === notSeen) this.#good += 1;
    this.#table.setTag(slot, isSame ? seen : seenDifferent);
    return true;
  }

  /** What is wrong with an object that was added; undefined where all is well. */
  problemOf(key: string): "missing" | "different" | undefined {
    const slot = this.#table.slotOf(key);
    const tag = slot === undefined ? notSeen : this.#table.tagOf(slot);
    if (tag === seen) return undefined;
    return tag === seenDifferent ? "different" : "missing";
  }
}

/**
 * The look before a commit: one listing of the backup's logs must hold every object that was copied, with its size, and its ETag where
 * the copy was told one. Only then what else lies there is deleted: segments that compaction replaced, collections that an earlier run
 * selected. Old readers import whole directories, so nothing that is not in the meta may lie there.
 * @throws CopyMismatch, naming objects; nothing is deleted then
 */
export async function settleCopies(
  stored: StoredBackup,
  copied: CopiedObjects,
  { confirm }: SettleOptions,
  context: Pick<StepContext, "log">,
): Promise<void> {
  const expected = new ExpectedObjects(copied.count);
  for await (const log of copied.logs()) expected.add(log);
  let strays = 0;
  for await (const object of stored.listLogs()) if (!expected.see(object)) strays += 1;
  // what else lies there is other backups'
  for await (const object of stored.listShared(copied.collectionIds())) expected.see(object);
  if (expected.unsettled > 0) throw await mismatch(stored, expected, copied.logs());
  if (strays > 0) await removeStrays(stored, expected, { confirm }, context);
}

async function removeStrays(
  stored: StoredBackup,
  expected: ExpectedObjects,
  { confirm }: SettleOptions,
  context: Pick<StepContext, "log">,
): Promise<void> {
  const segments = new Set<string | undefined>();
  let objects = 0;
  let keys: string[] = [];
  const remove = async () => {
    await confirm();
    await stored.store.deleteKeys(keys);
    keys = [];
  };
  for await (const object of stored.listLogs()) {
    if (expected.see(object)) continue;
    keys.push(object.key);
    segments.add(parseLogKey(object.key)?.segmentId);
    objects += 1;
    if (keys.length === keysPerDelete) await remove();
  }
  if (keys.length > 0) await remove();
  context.log.info("removed copies that do not belong to the backup", {
    backupName: stored.name,
    objects,
    segments: segments.size,
  });
}

async function mismatch(
  stored: StoredBackup,
  expected: ExpectedObjects,
  copied: AsyncIterable<CopiedLog>,
): Promise<PipelineError> {
  const named: string[] = [];
  for await (const { key, size, etag } of copied) {
    const problem = expected.problemOf(key);
    if (problem === undefined) continue;
    named.push(problem === "missing" ? `${key} is missing` : await describeDifference(stored, { key, size, etag }));
    if (named.length === namedObjects) break;
  }
  return new PipelineError(
    "CopyMismatch",
    `nothing was committed: of ${expected.size} objects that were copied to ${stored.place}, ${expected.unsettled} are not there as they were copied, such as ` +
      `${named.join("; ")}. See what removes or replaces objects there (a lifecycle rule, ` +
      "another tool); then start the same command again: what is there is kept, the rest is copied again",
    { details: { backupName: stored.name, objects: expected.unsettled } },
  );
}

async function describeDifference(stored: StoredBackup, object: ObjectSummary): Promise<string> {
  const found = await stored.store.head(object.key);
  if (found === undefined) return `${object.key} is missing`;
  return found.size === object.size
    ? `${object.key} was replaced (its ETag is ${found.etag} instead of ${object.etag})`
    : `${object.key} has ${found.size} bytes instead of ${object.size}`;
}

function contentOf(size: number, etag: string): string {
  return `${size} ${etag}`;
}
