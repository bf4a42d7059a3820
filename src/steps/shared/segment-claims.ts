import { randomUUID } from "node:crypto";
import * as z from "zod";
import type { StorageSettings } from "../../core/environment/environment.ts";
import { storeIdentity } from "../../core/environment/storage-identity.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ExecutionRef } from "../../core/execution/messages.ts";
import { executionNameOf, sameAccountAndRegion, stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import { jsonOrUndefined } from "../../core/execution/work-json.ts";
import { type Claim, claimedUntil, claimTimes, hasWrongClock } from "../../core/format/claim.ts";
import { type SharedLayout, sourceIdOf } from "../../core/format/layout.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { attempts, type ClaimContext, confirmDeletionClaim, hasClaim, isHeld, readClaim, writeClaim } from "./claim.ts";

/**
 * Who uses the segments that incremental backups share, and who removes some. A backup leaves its claim and then looks for a sweep's; a
 * sweep leaves its own and then looks for those of backups, again before each thousand objects: of the two one always sees the other. A
 * backup waits, a sweep goes away.
 */

/** How often a backup looks whether a sweep has gone away. */
const lookMilliseconds = 2_000;

/** How long a step waits for that; it is tried again then. A sweep that died is over after `silentDeletionMilliseconds`. */
const waitMilliseconds = 4 * 60_000;

/** No request to delete is sent so long after a look: a sweep counts for over only much later (`endedMilliseconds`). */
const longestRequestMilliseconds = 5 * 60_000;

/** The Milvus that shared segments are of, as the object beside them names it. */
const sourceRecord = z.object({
  version: z.literal(1),
  /** `aws`, or host and port. */
  store: z.string(),
  bucket: z.string(),
  rootPath: z.string(),
});
type SourceRecord = Readonly<z.infer<typeof sourceRecord>>;

/** Names the Milvus of an environment among those whose segments lie below one backup root. */
export function sourceOf(storage: StorageSettings): string {
  return sourceIdOf(placeOf(storage));
}

function placeOf(storage: StorageSettings) {
  return { store: storeIdentity(storage), bucket: storage.bucket, rootPath: storage.rootPath };
}

interface SegmentsUser {
  readonly execution: ExecutionRef;
  readonly purpose: "backup" | "transfer";
  readonly backupName: string;
}

/**
 * Says that an execution may name segments that no committed backup names yet, and waits for a sweep that is under way. To be called before
 * anything is looked for among them; the claim is given back after the commit (`releaseSegmentsClaim`).
 * @returns false where a sweep is under way still: ask again
 * @throws AlreadyRunning where nobody can tell who sweeps
 */
export async function claimSegments(
  store: ObjectStore,
  shared: SharedLayout,
  user: SegmentsUser,
  context: ClaimContext,
): Promise<boolean> {
  const { execution, purpose, backupName } = user;
  const key = shared.claim(execution.id);
  const claim = (): Claim => ({
    version: 1,
    backupName,
    purpose,
    state: "writing",
    holder: execution.id,
    stateMachine: stateMachineOf(execution.id),
    startedAt: new Date(execution.startTime).toISOString(),
    heartbeatAt: context.clock.now().toISOString(),
  });
  for (const until = context.clock.now().getTime() + waitMilliseconds; ; ) {
    // nobody else writes this key
    await store.putText(key, `${JSON.stringify(claim(), null, 2)}\n`, { contentType: "application/json" });
    const sweep = await readClaim(store, shared.sweep);
    if (sweep === undefined) return true;
    if (sweep.claim === undefined) throw unreadable(store, shared);
    const isOver =
      hasWrongClock(sweep.claim, context.clock.now()) || !(await isHeld(sweep.claim, execution.id, context));
    if (isOver) {
      // whoever lost it stops: it looks before it removes anything
      context.log.info("a sweep that is over left its claim", { key: shared.sweep });
      await store.deleteKeys([shared.sweep]);
      continue;
    }
    if (context.clock.now().getTime() >= until) return false;
    await context.clock.sleep(lookMilliseconds);
  }
}

/** Takes an execution's claim away once its backup is committed; does nothing where there is none. */
export async function releaseSegmentsClaim(store: ObjectStore, shared: SharedLayout, holder: string): Promise<void> {
  await store.deleteKeys([shared.claim(holder)]);
}

/**
 * What Release does with it: it counts until nothing that the execution began can still be on its way to a commit.
 * @throws StoreBusy
 */
export async function failSegmentsClaim(
  store: ObjectStore,
  shared: SharedLayout,
  holder: string,
  context: Pick<ClaimContext, "clock">,
): Promise<void> {
  const key = shared.claim(holder);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const found = await readClaim(store, key);
    if (found?.claim === undefined) return;
    const failed: Claim = { ...found.claim, state: "failed", heartbeatAt: context.clock.now().toISOString() };
    if (await writeClaim(store, key, failed, { ifMatch: found.etag })) return;
  }
}

/** The Milvus of an environment as the place of its segments names it. */
export function sourceRecordOf(storage: StorageSettings): SourceRecord {
  return { version: 1, ...placeOf(storage) };
}

/** @throws CorruptBackup where nothing says which Milvus shared segments are of */
export async function readSource(store: ObjectStore, shared: SharedLayout): Promise<SourceRecord> {
  const text = await store.getTextIfPresent(shared.record);
  const record = sourceRecord.safeParse(text === undefined ? undefined : jsonOrUndefined(text)).data;
  if (record !== undefined) return record;
  throw new PipelineError(
    "CorruptBackup",
    `${shared.record} in ${store.label} ${text === undefined ? "is missing" : "cannot be read"}: it says which Milvus the segments beside it are of`,
    { details: { file: shared.record } },
  );
}

/**
 * Makes sure that the place of shared segments is that of a Milvus, or notes that it is.
 * @throws InvalidInput where it belongs to another one
 */
export async function checkSource(store: ObjectStore, shared: SharedLayout, wanted: SourceRecord): Promise<void> {
  const text = `${JSON.stringify(wanted, null, 2)}\n`;
  const found = (await store.getTextIfPresent(shared.record)) ?? (await note(store, shared, text));
  const record = sourceRecord.safeParse(found === undefined ? undefined : jsonOrUndefined(found)).data;
  const isSame = record !== undefined && sourceIdOf(record) === sourceIdOf(wanted);
  if (isSame) return;
  const whose = record === undefined ? "it cannot be read" : `${record.bucket}/${record.rootPath} at ${record.store}`;
  throw new PipelineError(
    "InvalidInput",
    `the segments in ${store.label} below ${shared.root} are those of another Milvus (${whose}), not of ` +
      `${wanted.bucket}/${wanted.rootPath} at ${wanted.store}, as ${shared.record} says: make a plain backup, or use another backupRootPath`,
    { details: { key: "incremental" } },
  );
}

/** Answers what stands there then: somebody else may have written it just now. */
async function note(store: ObjectStore, { record }: SharedLayout, text: string): Promise<string | undefined> {
  await store.putText(record, text, { ifAbsent: true, contentType: "application/json" });
  return store.getTextIfPresent(record);
}

/** A sweep that holds its claim. */
export interface HeldSweep {
  /** @throws ClaimLost where somebody else has it by now; BackupInUse where a backup wants to use the segments: nothing more may be removed */
  confirm(): Promise<void>;
  /** Right before a request to delete: @throws ClaimLost where what was confirmed is too long ago, as in a machine that was asleep. */
  readonly stillMay: () => void;
  giveBack(): Promise<void>;
}

interface Sweeper {
  /** Names this very sweep. */
  readonly holder: string;
  /** An ARN of the deployment: only executions of its account and region can be asked for. */
  readonly deployment: string;
  /** The execution whose own claim is no obstacle. */
  readonly exempt?: string;
}

/**
 * Takes the claim to remove shared segments.
 * @throws AlreadyRunning where another sweep is under way, BackupInUse where a backup may use them
 */
export async function claimSweep(
  store: ObjectStore,
  shared: SharedLayout,
  sweeper: Sweeper,
  context: ClaimContext,
): Promise<HeldSweep> {
  const { deployment } = sweeper;
  // of this very run: of two at once, which an event that came twice may start, one goes away
  const holder = `${sweeper.holder} (${randomUUID()})`;
  const key = shared.sweep;
  const startedAt = context.clock.now().toISOString();
  const claim = (): Claim => ({
    version: 1,
    backupName: "",
    purpose: "sweep",
    state: "deleting",
    holder,
    startedAt,
    heartbeatAt: context.clock.now().toISOString(),
  });
  for (let attempt = 0; ; attempt += 1) {
    const found = await readClaim(store, key);
    if (found?.claim?.holder === holder) break;
    if (found !== undefined && found.claim === undefined) throw unreadable(store, shared);
    const isHeldBySomebody =
      found?.claim !== undefined &&
      !hasWrongClock(found.claim, context.clock.now()) &&
      (await isHeld(found.claim, deployment, context));
    if (isHeldBySomebody) throw sweeping(store, shared, found?.claim);
    if (attempt === attempts) throw sweeping(store, shared, found?.claim);
    // read back by the next round: a store without conditional writes takes everybody's
    await writeClaim(store, key, claim(), found === undefined ? { ifAbsent: true } : { ifMatch: found.etag });
  }
  let confirmedAt = Number.NEGATIVE_INFINITY;
  const stillMay = () => {
    if (context.clock.now().getTime() - confirmedAt < longestRequestMilliseconds) return;
    throw new PipelineError(
      "ClaimLost",
      `${sweeper.holder} looked too long ago whether somebody needs the segments below ${shared.root} in ${store.label}: nothing more is removed; sweep again`,
      { details: { key } },
    );
  };
  const giveBack = async () => {
    if (await hasClaim(store, { key, holder })) await store.deleteKeys([key]);
  };
  const confirm = async () => {
    await confirmDeletionClaim(store, { key, holder }, context);
    const lookedAt = context.clock.now().getTime();
    await checkUnused(store, shared, sweeper, context);
    confirmedAt = lookedAt;
  };
  try {
    await checkUnused(store, shared, sweeper, context);
  } catch (error) {
    await giveBack();
    throw error;
  }
  return { confirm, stillMay, giveBack };
}

/**
 * @throws BackupInUse where an execution may use the segments. What executions left that are over for good goes: whatever of them still
 *   runs finds its claim gone, and commits nothing.
 * @param options.onlyLook nothing goes
 */
export async function checkUnused(
  store: ObjectStore,
  shared: SharedLayout,
  { deployment, exempt }: Pick<Sweeper, "deployment" | "exempt">,
  context: ClaimContext,
  options: { readonly onlyLook?: boolean } = {},
): Promise<void> {
  for await (const { key } of store.list(shared.claims)) {
    let found = await readClaim(store, key);
    let until: number | undefined;
    for (let attempt = 0; found?.claim && found.claim.holder !== exempt; attempt += 1) {
      until = await usedUntil(found.claim, deployment, context);
      if (until > context.clock.now().getTime() || attempt === attempts) break;
      // only the version that was read: whoever said since that it goes on keeps it, and nobody can once this is written
      const over: Claim = { ...found.claim, state: "deleting" };
      if (options.onlyLook || (await writeClaim(store, key, over, { ifMatch: found.etag }))) {
        if (!options.onlyLook) await store.deleteKeys([key]);
        found = undefined;
        break;
      }
      found = await readClaim(store, key);
    }
    if (found === undefined || (found.claim !== undefined && found.claim.holder === exempt)) continue;
    const { claim } = found;
    const who = claim === undefined ? key : `${claim.purpose} execution ${executionNameOf(claim.holder)}`;
    const when =
      claim === undefined
        ? "when that object, which this version does not understand, is gone: update the pipeline, or delete it when nobody backs up there"
        : hasWrongClock(claim, context.clock.now())
          ? `when it is over: it said at ${claim.heartbeatAt}, which is yet to come, that it goes on, so a clock is wrong (delete ${key} when it is over)`
          : until === undefined || !Number.isFinite(until)
            ? "when it is over"
            : `after ${new Date(until).toISOString()}, when nothing of it can be under way any more`;
    throw new PipelineError(
      "BackupInUse",
      `segments below ${shared.root} in ${store.label} may be used by ${who}${claim ? ` (backup ${claim.backupName})` : ""}: they are swept ${when}, by ` +
        '"milvus-backup sweep", the next delete or the next retention',
      { details: { key } },
    );
  }
}

/** Until when a claim counts, as milliseconds of the epoch. */
async function usedUntil(claim: Claim, deployment: string, context: ClaimContext): Promise<number> {
  const ended = Date.parse(claim.heartbeatAt) + claimTimes.endedMilliseconds;
  if (claim.state === "failed") return ended;
  const state = sameAccountAndRegion(deployment, claim.holder)
    ? await context.executions.state(claim.holder)
    : "unknown";
  if (state === "running") return Number.POSITIVE_INFINITY;
  return state === "over" ? ended : claimedUntil(claim);
}

function unreadable(store: ObjectStore, { sweep, root }: SharedLayout): PipelineError {
  return new PipelineError(
    "AlreadyRunning",
    `${sweep} in ${store.label} says in a way that this version does not know who removes segments below ${root}: update the pipeline; when nobody ` +
      "does, delete that object",
    { details: { key: sweep } },
  );
}

function sweeping(store: ObjectStore, shared: SharedLayout, claim: Claim | undefined): PipelineError {
  const who = claim === undefined ? "somebody" : `${claim.holder}, since ${claim.startedAt}`;
  return new PipelineError(
    "AlreadyRunning",
    `the segments below ${shared.root} in ${store.label} are being swept by ${who}: wait until that is over (${shared.sweep})`,
    { details: { key: shared.sweep } },
  );
}
