import {
  type CopiedLog,
  type CopyBatch,
  type CopyPrefix,
  type CopyReceipt,
  type CopySegment,
  copyBatch,
  copyReceipt,
  isCopied,
  logsOf,
  type SegmentReceipt,
} from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { CopySegmentsRequest, CopySegmentsResult } from "../../core/execution/messages.ts";
import { settleAll, settleBehind, settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { heldOfBatch } from "../../core/execution/work-layout.ts";
import type { GarbageCollection } from "../../ports/garbage-collection.ts";
import type { CopiedObject, ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { cancelWatch } from "../shared/cancel-watch.ts";
import { findProblem, type ListedPrefix, relativePath, selectObjects } from "../shared/check-segment.ts";
import { claimWatch } from "../shared/claim.ts";
import { renewPause } from "../shared/gc-pause.ts";
import { readHeld } from "../shared/held.ts";
import { checkAhead, checkLocked } from "../shared/locks.ts";
import { type BatchStores, mismatch, receiptOf } from "./batch-stores.ts";
import { ContentComparison } from "./compare-content.ts";
import { gentlePace, objectSlots, type Pace, usualPace } from "./in-flight.ts";
import { listPrefixes } from "./list-prefixes.ts";
import { mergeDirectories, mergeSegments } from "./merge-segments.ts";
import { repairLog } from "./repair-log.ts";
import { verifySegments } from "./verify-segments.ts";

export interface CopyContext extends Pick<StepContext, "work" | "openStore" | "clock" | "log"> {
  /** The garbage collection of an environment's Milvus; absent where no pause is to be renewed. */
  readonly garbageCollectionOf?: (environment: string) => Promise<GarbageCollection>;
  /** What reads the payloads of binlogs; loaded where keys tell what may be put together, which a restore asks for. */
  readonly payloads?: () => Promise<PayloadReader>;
}

/**
 * Copies (or verifies) the segments of one batch and leaves a receipt. Safe to run again: what lies at the destination already is
 * skipped, and a batch whose receipt says `copied` is not looked at again. Transient faults of the stores are thrown, for the machine to
 * retry; what the sources look like is the outcome. A batch whose function `died` before is copied with little in flight.
 * @returns `copied` only where every segment is; `source-changed` where at least one has another outcome (the receipt says which)
 * @throws ClaimLost where somebody else writes the backup by now
 */
export async function copySegments(request: CopySegmentsRequest, context: CopyContext): Promise<CopySegmentsResult> {
  const batch = await readBatch(request.batchKey, context.work);
  const { receiptKey, lock } = batch;
  if ((await readOutcome(receiptKey, context.work)) === "copied") return { outcome: "copied", receiptKey };

  checkAhead(lock, context.clock.now());
  const isCancelled = cancelWatch(context, batch.cancelKey);
  // Release has ended the pause by then
  if (!(await isCancelled())) await keepPaused(request.batchKey, batch, context);
  const source = await context.openStore(batch.source);
  const pace = request.died ? gentlePace : usualPace;
  const receipt = batch.verify
    ? await verifySegments({ ...batch, verify: batch.verify }, source, {
        execution: request.execution,
        isCancelled,
        confirm: claimWatch(source, batch.claim, context),
        pace,
      })
    : await copyBatchSegments(batch, source, { isCancelled, pace }, context);
  await context.work.putText(receiptKey, JSON.stringify(copyReceipt.parse(receipt)), {
    contentType: "application/json",
  });
  context.log.info("batch done", {
    batch: batch.batch,
    outcome: receipt.outcome,
    segments: receipt.segments.length,
    objects: receipt.objects,
    bytes: receipt.bytes,
    skippedObjects: receipt.skippedObjects,
  });
  return { outcome: receipt.outcome, receiptKey };
}

async function copyBatchSegments(
  batch: CopyBatch,
  source: ObjectStore,
  { isCancelled, pace }: { readonly isCancelled: () => Promise<boolean>; readonly pace: Pace },
  context: CopyContext,
): Promise<CopyReceipt> {
  const destination = await context.openStore(batch.destination);
  const watches = [batch.claim, batch.segmentsClaim].map((claim) => claimWatch(destination, claim, context));
  const confirm = async () => {
    for (const watch of watches) await watch();
  };
  const [listed, present] = await settleBehind(
    confirm(),
    settleAll([
      listPrefixes(source, prefixesOf(batch, "from")),
      listPrefixes(destination, batch.merged ? mergeDirectories(batch) : prefixesOf(batch, "to")),
    ]),
  );
  const stores: BatchStores = { source, destination, listed, present, confirm };
  if (batch.merged) {
    const { payloads = () => Promise.reject(new Error("this function was not given what reads payloads")) } = context;
    return mergeSegments(batch, stores, { isCancelled, pace, payloads });
  }
  const copier = new BatchCopier(batch, stores, pace);
  const copied = await settleEach(batch.segments, pace.segments, async (segment, isStopped) =>
    (await isCancelled()) ? undefined : copier.segment(segment, isStopped),
  );
  const segments = copied.filter((receipt) => receipt !== undefined);
  // one tells for all: the store keeps what it is given, or drops it
  const [some] = segments.flatMap(logsOf);
  if (batch.lock && some) await checkLocked(destination, some.key, batch.lock);
  return copier.receipt(segments);
}

/** What copies out of a Milvus's bucket go on with: a pause of its garbage collection that does not end meanwhile. */
async function keepPaused(batchKey: string, { source }: CopyBatch, context: CopyContext): Promise<void> {
  const { garbageCollectionOf } = context;
  if (garbageCollectionOf === undefined || source.side !== "milvus") return;
  const files = heldOfBatch(batchKey);
  const held = await readHeld(context, files);
  if (held?.garbageCollectionPause === undefined) return;
  await renewPause(context, files.pauseRenewals, () => garbageCollectionOf(source.environment));
}

/** The copies of one batch; they share the slots of objects in flight. */
class BatchCopier {
  readonly #slot: ReturnType<typeof objectSlots>;
  readonly #batch: CopyBatch;
  readonly #stores: BatchStores;
  readonly #existing: ReadonlyMap<string, ObjectSummary>;
  /** Every key that some segment of the batch is to have at the destination. */
  readonly #targets: ReadonlySet<string>;
  readonly #comparison: ContentComparison;
  #skipped = 0;

  constructor(batch: CopyBatch, stores: BatchStores, pace: Pace) {
    this.#slot = objectSlots(pace);
    this.#batch = batch;
    this.#stores = stores;
    this.#comparison = new ContentComparison(stores.source, batch.content);
    this.#existing = new Map([...stores.present.values()].flat().map((object) => [object.key, object]));
    this.#targets = new Set(
      batch.segments
        .flatMap(({ prefixes }) => prefixes)
        .filter(isCopied)
        .flatMap((prefix) => this.#select(prefix).objects.map(({ key }) => targetKey(prefix, key))),
    );
  }

  async segment(segment: CopySegment, isStopped: () => boolean): Promise<SegmentReceipt> {
    if (this.#batch.repair) return this.#repair(segment, isStopped);
    const listed = segment.prefixes.map((prefix) => this.#select(prefix));
    const problem = findProblem(segment, listed, this.#batch);
    if (problem !== undefined) return receiptOf(segment, problem);
    try {
      const copies = await settleEach(listed, listed.length, (entry, isFaulty) =>
        this.#prefix(entry, () => isStopped() || isFaulty()),
      );
      const conflicts = copies.flatMap((copied) => copied.flatMap(({ conflict }) => conflict ?? []));
      if (conflicts.length > 0) return conflicting(segment, conflicts);
      const problems = copies.flatMap((copied) => copied.flatMap(({ problem }) => problem ?? []));
      if (problems.length > 0) return mismatch(segment, problems);
      const logsOf = (kind: CopyPrefix["kind"]) =>
        copies.flatMap((copied, index) => (listed[index]?.prefix.kind === kind ? copied.map(({ log }) => log) : []));
      await this.#deleteLeftovers(segment);
      const { stored = [] } = segment;
      await this.#lock(stored);
      this.#skipped += stored.length;
      const logs = { insertLogs: [...stored, ...logsOf("insert")], deltaLogs: logsOf("delta") };
      return receiptOf(segment, { outcome: "copied" }, logs);
    } catch (error) {
      if (!(error instanceof PipelineError) || error.name !== "ObjectNotFound") throw error;
      return receiptOf(segment, {
        outcome: "source-changed",
        problem: `segment ${segment.segmentId}: ${error.message}`,
      });
    }
  }

  /** A segment of a backup that the destination holds already: object by object, what is right there stays. */
  async #repair(segment: CopySegment, isStopped: () => boolean): Promise<SegmentReceipt> {
    const settled = await Promise.allSettled(
      segment.prefixes.flatMap((prefix) => {
        const sources = new Map(this.#select(prefix).objects.map((object) => [object.key, object]));
        return (prefix.expect ?? []).map((expected) =>
          this.#slot(expected.size, async () => {
            if (isStopped()) return undefined;
            const key = targetKey(prefix, prefix.from + expected.path);
            const from = prefix.from + expected.path;
            const log = { from, key, expected, source: sources.get(from), existing: this.#existing.get(key) };
            return { kind: prefix.kind, ...(await repairLog(log, { ...this.#stores, keeping: this.#keeping })) };
          }),
        );
      }),
    );
    const fault = settled.find((result) => result.status === "rejected");
    if (fault !== undefined) throw fault.reason;
    const results = settled.flatMap((result) => (result.status === "fulfilled" && result.value ? [result.value] : []));
    this.#skipped += results.filter(({ skipped }) => skipped).length;
    const problems = results.flatMap(({ problem }) => problem ?? []);
    if (problems.length > 0) return mismatch(segment, problems);
    const logsOf = (kind: CopyPrefix["kind"]) => results.flatMap((it) => (it.kind === kind && it.log ? [it.log] : []));
    return receiptOf(segment, { outcome: "copied" }, { insertLogs: logsOf("insert"), deltaLogs: logsOf("delta") });
  }

  receipt(segments: readonly SegmentReceipt[]): CopyReceipt {
    const logs = segments.flatMap(({ insertLogs, deltaLogs }) => [...insertLogs, ...deltaLogs]);
    const allCopied = segments.every(({ outcome }) => outcome === "copied");
    const cancelled = segments.length < this.#batch.segments.length;
    return {
      batch: this.#batch.batch,
      outcome: cancelled ? "cancelled" : allCopied ? "copied" : "source-changed",
      objects: logs.length,
      bytes: logs.reduce((sum, { size }) => sum + size, 0),
      skippedObjects: this.#skipped,
      bySize: this.#comparison.bySize,
      ...(this.#batch.lock && { lock: this.#batch.lock }),
      segments: [...segments],
    };
  }

  /** How what lies at the destination is kept. */
  get #keeping() {
    const { lock, storageClass } = this.#batch;
    return { lock, storageClass };
  }

  /** Locks what was stored already as long as what is copied. */
  async #lock(stored: readonly CopiedLog[]): Promise<void> {
    const { lock } = this.#batch;
    if (lock === undefined) return;
    const { destination, confirm } = this.#stores;
    await settleEach(stored, stored.length, ({ key }, isFaulty) =>
      this.#slot(0, async () => {
        if (isFaulty()) return;
        await confirm();
        await destination.extendLock(key, lock);
      }),
    );
  }

  #select(prefix: CopyPrefix): ListedPrefix {
    return selectObjects(prefix, this.#stores.listed.get(prefix.from) ?? []);
  }

  /** Copies the objects of a prefix (or leaves them where they lie), and compares each with what it is to be. */
  async #prefix({ prefix, objects }: ListedPrefix, isStopped: () => boolean): Promise<SettledLog[]> {
    const expected = new Map(prefix.expect?.map((log) => [prefix.from + log.path, log]));
    // all of them at once: they wait for the slots that the batch has
    const settled = await settleEach(objects, objects.length, (object, isFaulty) =>
      this.#slot(object.size, async () => {
        if (isFaulty() || isStopped()) return undefined;
        const { key, size, etag } = object;
        const log = { from: key, key, size, etag };
        if (object.archived) await this.#stores.source.checkReadable(object);
        if (!isCopied(prefix))
          return { log, problem: await this.#comparison.problemOf(object, expected.get(key), log) };
        const copied = await this.#object(object, targetKey(prefix, key), prefix);
        if ("problem" in copied) return { log, conflict: copied, problem: undefined };
        return { log: copied, problem: await this.#comparison.problemOf(object, expected.get(key), copied) };
      }),
    );
    return settled.filter((log) => log !== undefined);
  }

  async #object(object: ObjectSummary, key: string, { shared }: CopyPrefix): Promise<CopiedLog | Conflict> {
    const { source, destination } = this.#stores;
    const existing = this.#existing.get(key) ?? null;
    await this.#stores.confirm();
    const options = { existing, ...(shared && { overwrite: existing === null }), ...this.#keeping };
    const from = object.key;
    try {
      const copied: CopiedObject = await destination.copyFrom(source, object, key, options);
      if (copied.skipped) this.#skipped += 1;
      const { size, etag, checksum, skipped } = copied;
      const there = shared === true && skipped;
      const noted = skipped && etag !== object.etag && checksum !== `md5:${object.etag}`;
      const known = { ...(checksum !== undefined && { checksum }), ...(there && { there }), ...(noted && { noted }) };
      return { from, key, size, etag, ...known };
    } catch (error) {
      const differs = error instanceof PipelineError && error.name === "CopyMismatch";
      if (!shared || existing === null || !differs) throw error;
      const checksum = await this.#sameContent(object, existing);
      if (checksum === undefined) return this.#conflict(object, existing);
      if (this.#batch.lock) await destination.extendLock(key, this.#batch.lock);
      this.#skipped += 1;
      return { from, key, size: existing.size, etag: existing.etag, checksum, there: true };
    }
  }

  /** Reads what nothing else tells: the checksum that two objects of one size both have; undefined where they differ. */
  async #sameContent(object: ObjectSummary, existing: ObjectSummary): Promise<string | undefined> {
    const { source, destination } = this.#stores;
    if (object.size !== existing.size) return undefined;
    const [ofExisting, ofObject] = [existing, object].map(({ etag }) => `md5:${etag}`);
    if (ofExisting && (await source.hasContent(object, ofExisting, { read: true }))) return ofExisting;
    if (ofObject && (await destination.hasContent(existing, ofObject, { read: true }))) return ofObject;
    return undefined;
  }

  #conflict(object: ObjectSummary, existing: ObjectSummary): Conflict {
    const { source, destination } = this.#stores;
    const problem =
      `${existing.key} in ${destination.label} (${existing.size} bytes, ETag ${existing.etag}) is not what ${object.key} in ${source.label} is ` +
      `(${object.size} bytes, ETag ${object.etag})`;
    return { key: existing.key, problem };
  }

  /** Removes what an earlier attempt left below the segment's prefixes and nothing in this batch is to have there. */
  async #deleteLeftovers(segment: CopySegment): Promise<void> {
    const { destination, present } = this.#stores;
    const leftovers = segment.prefixes
      .filter((prefix) => isCopied(prefix) && !prefix.shared)
      .flatMap(({ to }) => present.get(to) ?? [])
      .map(({ key }) => key)
      .filter((key) => !this.#targets.has(key));
    if (leftovers.length === 0) return;
    await this.#stores.confirm();
    await destination.deleteKeys(leftovers);
  }
}

/** A log that was copied, or left where it lies, and what is wrong with its content. */
interface SettledLog {
  readonly log: CopiedLog;
  readonly problem: string | undefined;
  readonly conflict?: Conflict | undefined;
}

/** What is stored under a key that other backups may name, and is something else. */
interface Conflict {
  readonly key: string;
  /** For people, with the sizes and sums of both. */
  readonly problem: string;
}

function conflicting(segment: CopySegment, conflicts: readonly Conflict[]): SegmentReceipt {
  const problem = `segment ${segment.segmentId}: ${shortList(
    conflicts.map((conflict) => conflict.problem),
    { limit: 3, separator: "; " },
  )}`;
  return { ...receiptOf(segment, { outcome: "conflict", problem }), conflicts: conflicts.map(({ key }) => key) };
}

function targetKey(prefix: CopyPrefix, sourceKey: string): string {
  return prefix.to + relativePath(prefix, sourceKey);
}

function prefixesOf(batch: CopyBatch, side: "from" | "to"): string[] {
  return batch.segments.flatMap(({ prefixes }) => prefixes.map((prefix) => prefix[side])).filter((key) => key !== "");
}

async function readBatch(key: string, work: ObjectStore): Promise<CopyBatch> {
  const parsed = copyBatch.safeParse(JSON.parse(await work.getText(key)));
  const [issue] = parsed.error?.issues ?? [];
  const problem = parsed.success ? findUnsafePrefix(parsed.data) : `${issue?.path.join(".")}: ${issue?.message}`;
  if (parsed.success && problem === undefined) return parsed.data;
  throw new PipelineError("InvalidInput", `${key} in ${work.label} is not a batch of segments: ${problem}`, {
    details: { key },
  });
}

/** What is left over below `to` is deleted: a prefix that is no directory of a segment would reach its neighbours. */
function findUnsafePrefix({ segments }: CopyBatch): string | undefined {
  const isDirectory = (prefix: string) => /[^/]\/$/.test(prefix);
  const unsafe = segments
    .flatMap(({ prefixes }) => prefixes)
    .find((prefix) => !isDirectory(prefix.from) || (isCopied(prefix) && !isDirectory(prefix.to)));
  return (
    unsafe && `${JSON.stringify(unsafe.from)} and ${JSON.stringify(unsafe.to)} must each be a directory and end in /`
  );
}

async function readOutcome(receiptKey: string, work: ObjectStore): Promise<CopyReceipt["outcome"] | undefined> {
  if ((await work.head(receiptKey)) === undefined) return undefined;
  return copyReceipt.safeParse(JSON.parse(await work.getText(receiptKey))).data?.outcome;
}
