import { countOf } from "../../core/execution/count-of.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { KeyTable } from "../../core/execution/key-table.ts";
import { describeLock, lockEnd } from "../../core/execution/object-lock.ts";
import { settleEach } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { parseLogKey, type SharedLayout, sharedLayout, sharedSegmentsRoot } from "../../core/format/layout.ts";
import type { ManifestIndex } from "../../core/format/manifest.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import type { ClaimContext } from "./claim.ts";
import { storedBackups } from "./find-backup.ts";
import { locksOf, mayHoldLocks } from "./locks.ts";
import { checkUnused, claimSweep, type HeldSweep } from "./segment-claims.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** So many are deleted between two looks at who may need them. */
const keysPerRemoval = 1_000;

interface SweepRequest {
  /** Names this very sweep: `sweep of ...`, `retention after ...`. */
  readonly holder: string;
  /** An ARN of the deployment that asks for it; "" where there is none. */
  readonly deployment: string;
  /** Only says what it would free. */
  readonly dryRun?: boolean;
  /** It stops then, and leaves the rest to the next sweep; when it is done where absent. */
  readonly until?: Date | undefined;
}

/** Ends a sweep whose time is over. */
class OutOfTime extends Error {}

/** What was freed, or would be, of the segments of one Milvus. */
export interface SweptSource {
  /** Names the Milvus (`sourceIdOf`). */
  readonly source: string;
  readonly segments: number;
  readonly objects: number;
  readonly bytes: number;
  /** Why nothing was looked at, or why it was broken off: somebody may need segments that nothing names yet. */
  readonly skipped?: string;
  /** What nothing names either, and stays because it is locked; absent where nothing is. */
  readonly locked?: LockedSegments;
}

/** Shared segments that nothing names and that stay for now. */
interface LockedSegments {
  readonly objects: number;
  readonly bytes: number;
  /** The latest of their times, ISO 8601. */
  readonly until: string;
}

/**
 * Removes the segments of incremental backups that no backup names any more. Goes away where a backup is under way that may need some, and
 * is done then by whoever sweeps next. Killed between any two calls, it leaves what the next one goes on with.
 * @param place where backups lie: the backup storage of an environment
 * @returns one entry a Milvus whose segments lie there, by name
 * @throws CorruptBackup where what a backup names cannot be read: nothing is removed then, and what the store throws
 */
export async function sweepSegments(
  store: ObjectStore,
  place: { readonly rootPath: string },
  request: SweepRequest,
  context: ClaimContext,
): Promise<SweptSource[]> {
  const root = sharedSegmentsRoot(place.rootPath);
  const swept: SweptSource[] = [];
  for (const directory of await store.listDirectories(root)) {
    const source = directory.slice(root.length, -1);
    swept.push(await sweepSource(store, place, source, request, context));
  }
  return swept;
}

/** Why a sweep leaves the segments of a Milvus alone for now. */
const goesAway: ReadonlySet<string> = new Set(["BackupInUse", "AlreadyRunning", "ClaimLost"]);

async function sweepSource(
  store: ObjectStore,
  place: { readonly rootPath: string },
  source: string,
  request: SweepRequest,
  context: ClaimContext,
): Promise<SweptSource> {
  const shared = sharedLayout(place.rootPath, source);
  const freed = { segments: 0, objects: 0, bytes: 0 };
  const locked = { objects: 0, bytes: 0, until: "" };
  const swept = () => ({ source, ...freed, ...(locked.objects > 0 && { locked }) });
  const checkTime = () => {
    if (request.until === undefined || context.clock.now() < request.until) return;
    throw new OutOfTime(
      "there was no time for all of what no backup names: the next sweep removes it (milvus-backup sweep)",
    );
  };
  let held: HeldSweep | undefined;
  try {
    checkTime();
    if (request.dryRun) await checkUnused(store, shared, request, context, { onlyLook: true });
    else held = await claimSweep(store, shared, request, context);
    const users = await committedOf(store, place, source, checkTime);
    const named = await namedKeys(users, checkTime);
    const now = (await mayHoldLocks(store)) ? context.clock.now() : undefined;
    await removeUnnamed(store, shared, { named, held, freed, locked, now, checkTime });
    if (held && users.length === 0 && locked.objects === 0) {
      await held.confirm();
      await store.deleteKeys([shared.record], held);
    }
    return swept();
  } catch (error) {
    const wentAway = error instanceof OutOfTime || (error instanceof PipelineError && goesAway.has(error.name));
    if (!wentAway) throw error;
    return { ...swept(), skipped: error.message };
  } finally {
    await held?.giveBack();
  }
}

interface Removal {
  readonly named: KeyTable;
  /** Absent where nothing is removed. */
  readonly held: HeldSweep | undefined;
  /** Added up as they are removed: what is told is right, however it ends. */
  readonly freed: { segments: number; objects: number; bytes: number };
  /** The same of what stays because it is locked. */
  readonly locked: { objects: number; bytes: number; until: string };
  /** Absent in a bucket that locks nothing. */
  readonly now: Date | undefined;
  /** Throws where its time is over. */
  readonly checkTime: () => void;
}

async function removeUnnamed(
  store: ObjectStore,
  shared: SharedLayout,
  { named, held, freed, locked, now, checkTime }: Removal,
): Promise<void> {
  let batch: { readonly key: string; readonly size: number }[] = [];
  let lastSegment: string | undefined;
  /** A deletion would hide what is locked, and free nothing. */
  const leaveLocked = async () => {
    if (now === undefined) return;
    const keys = batch.map(({ key }) => key);
    const locks = await locksOf(store, keys, now);
    for (const [index, lock] of locks.entries()) {
      if (lock === undefined) continue;
      locked.objects += 1;
      locked.bytes += batch[index]?.size ?? 0;
      if (lock.until > locked.until) locked.until = lock.until;
    }
    batch = batch.filter((_, index) => locks[index] === undefined);
  };
  const remove = async () => {
    await leaveLocked();
    if (batch.length === 0) return;
    if (held) {
      await held.confirm();
      await store.deleteKeys(
        batch.map(({ key }) => key),
        held,
      );
    }
    for (const { key, size } of batch) {
      const segment = parseLogKey(key)?.segmentId ?? "";
      if (segment !== lastSegment) freed.segments += 1;
      lastSegment = segment;
      freed.objects += 1;
      freed.bytes += size;
    }
    batch = [];
  };
  for await (const object of store.list(shared.insertLogs)) {
    checkTime();
    if (named.slotOf(object.key) !== undefined) continue;
    batch.push(object);
    if (batch.length >= keysPerRemoval) await remove();
  }
  await remove();
}

/** An incremental backup that is complete, and what its manifest says. */
interface SegmentsUser {
  readonly stored: StoredBackup;
  readonly manifest: ManifestIndex;
}

/**
 * The complete incremental backups of one Milvus.
 * @throws CorruptBackup where one of them does not tell what it names
 */
async function committedOf(
  store: ObjectStore,
  place: { readonly rootPath: string },
  source: string,
  checkTime = () => {},
): Promise<SegmentsUser[]> {
  const users: SegmentsUser[] = [];
  for (const folder of await storedBackups(store, place)) {
    // also beside a plain one of that name, which nobody but a person can have put there
    for (const stored of await folder.incrementals()) {
      checkTime();
      if (stored.layout.source !== source || (await stored.committed()) === undefined) continue;
      const manifest = await stored.readManifest();
      if (manifest !== undefined && (await isManifestOf(stored, manifest))) users.push({ stored, manifest });
      // deleted just now, or it does not tell what it needs
      else if (await stored.committed())
        throw notTold(stored, manifest === undefined ? "is missing" : "is another backup's");
    }
  }
  return users;
}

/** The ID of a backup is among the first bytes of its commit record, and each run of a backup has its own. */
const headBytes = 1_024;

async function isManifestOf({ store, layout }: StoredBackup, { backupId }: ManifestIndex): Promise<boolean> {
  const record = await store.head(layout.meta.full_meta);
  if (record === undefined) return false;
  try {
    const head = Buffer.from(await store.readRange(record, { offset: 0, size: headBytes })).toString("utf8");
    return head.includes(`"id":${JSON.stringify(backupId)}`);
  } catch (error) {
    if (error instanceof PipelineError && error.name === "ObjectNotFound") return false;
    throw error;
  }
}

function notTold({ name, layout, store }: StoredBackup, how: string): PipelineError {
  return new PipelineError(
    "CorruptBackup",
    `${layout.manifest} in ${store.label} ${how}: without it nobody knows which segments backup ${name} needs. Nothing was swept; ` +
      "delete that backup, or bring its manifest back",
    { details: { file: layout.manifest } },
  );
}

/** Every key of shared segments that a backup names; what has the same hash counts as named. */
async function namedKeys(users: readonly SegmentsUser[], checkTime: () => void): Promise<KeyTable> {
  const named = new KeyTable(Math.max(0, ...users.map(({ manifest }) => manifest.objects)));
  for (const { stored, manifest } of users) {
    for await (const key of sharedKeysOf(stored, manifest)) {
      checkTime();
      named.set(key, "");
    }
  }
  return named;
}

async function* sharedKeysOf(stored: StoredBackup, manifest: ManifestIndex): AsyncGenerator<string> {
  const { layout } = stored;
  for (const part of manifest.parts) {
    try {
      for await (const object of stored.manifestObjects(part)) {
        const key = layout.absolute(object.key);
        if (layout.shared && key.startsWith(layout.shared.root)) yield key;
      }
    } catch (error) {
      // a deletion takes the commit record first: what it leaves names nothing
      if ((await stored.committed()) === undefined) return;
      throw error;
    }
  }
}

/** What lies under keys of shared segments that should be something else. */
interface FreedKeys {
  /** Removed: nothing named them. */
  readonly removed: number;
  /** Which backups name the others. */
  readonly namedBy: readonly string[];
}

/**
 * Removes single objects of shared segments that stand in the way of a backup under way, where no complete backup names any of them; where
 * one does, none is removed.
 * @param request.exempt the execution of that backup, which holds a claim itself
 * @throws BackupInUse where another backup may use them, BackupLocked where one is locked, AlreadyRunning where a sweep is under way, and as `sweepSegments`
 */
export async function freeKeys(
  store: ObjectStore,
  place: { readonly rootPath: string },
  source: string,
  keys: readonly string[],
  request: Required<Pick<Parameters<typeof claimSweep>[2], "holder" | "deployment" | "exempt">>,
  context: ClaimContext,
): Promise<FreedKeys> {
  const shared = sharedLayout(place.rootPath, source);
  const held = await claimSweep(store, shared, request, context);
  try {
    const wanted = new Set(keys);
    const namedBy = new Set<string>();
    for (const { stored, manifest } of await committedOf(store, place, source)) {
      for await (const key of sharedKeysOf(stored, manifest)) if (wanted.has(key)) namedBy.add(stored.name);
    }
    if (namedBy.size > 0) return { removed: 0, namedBy: [...namedBy] };
    await checkNoneLocked(store, keys, context);
    await held.confirm();
    await store.deleteKeys(keys, held);
    return { removed: keys.length, namedBy: [] };
  } finally {
    await held.giveBack();
  }
}

/** What nothing names and is locked may be a backup's that somebody hid: it is not hidden too. */
async function checkNoneLocked(store: ObjectStore, keys: readonly string[], { clock }: ClaimContext): Promise<void> {
  if (!(await mayHoldLocks(store))) return;
  const locks = await locksOf(store, keys, clock.now());
  const index = locks.findIndex((lock) => lock !== undefined);
  const lock = locks[index];
  if (lock === undefined) return;
  throw new PipelineError(
    "BackupLocked",
    `${keys[index]} in ${store.label} has other content than Milvus has, no backup names it, and it is ${describeLock(lock)}: it stays. Make a plain backup ` +
      "(without --incremental), or use another backupRootPath",
    { details: { key: keys[index] ?? "" } },
  );
}

/** Beyond so many objects in all manifests it is not counted what each backup alone holds: reading them takes minutes. */
const mostCounted = 3_000_000;

/** Manifests that are read at once. */
const manifestConcurrency = 8;

/**
 * What each incremental backup alone holds: the bytes of logs that deleting it (and a sweep) would free. By name; empty where they are too
 * many to count.
 * @throws CorruptBackup, and what the store throws
 */
async function ownBytes(backups: readonly StoredBackup[]): Promise<ReadonlyMap<string, number>> {
  const users = await settleEach(backups, manifestConcurrency, async (stored): Promise<SegmentsUser[]> => {
    const isCounted = stored.layout.source !== undefined && (await stored.committed()) !== undefined;
    const manifest = isCounted ? await stored.readManifest() : undefined;
    return manifest === undefined ? [] : [{ stored, manifest }];
  });
  const all = users.flat();
  const objects = all.reduce((sum, { manifest }) => sum + manifest.objects, 0);
  if (objects > mostCounted) return new Map();
  const [once, often] = [0, 1];
  const owners = new KeyTable(objects);
  await settleEach(all, manifestConcurrency, async ({ stored, manifest }) => {
    for await (const { key } of objectsOf(stored, manifest)) {
      owners.set(key, "", owners.slotOf(key) === undefined ? once : often);
    }
  });
  const own = await settleEach(all, manifestConcurrency, async ({ stored, manifest }): Promise<[string, number]> => {
    let bytes = 0;
    for await (const { key, size } of objectsOf(stored, manifest)) {
      const slot = owners.slotOf(key);
      if (slot !== undefined && owners.tagOf(slot) === once) bytes += size;
    }
    return [stored.name, bytes];
  });
  return new Map(own);
}

/** The same; empty where a manifest cannot be read, or goes just now: no backup hides another one. */
export async function ownBytesIfKnown(backups: readonly StoredBackup[]): Promise<ReadonlyMap<string, number>> {
  try {
    return await ownBytes(backups);
  } catch (error) {
    if (error instanceof PipelineError && ["CorruptBackup", "ObjectNotFound"].includes(error.name)) return new Map();
    throw error;
  }
}

async function* objectsOf(stored: StoredBackup, manifest: ManifestIndex) {
  for (const part of manifest.parts) {
    for await (const { key, size } of stored.manifestObjects(part)) yield { key: stored.layout.absolute(key), size };
  }
}

/** What sweeps of several sources come to. */
export function sumOfSweeps(swept: readonly SweptSource[]) {
  const sum = (pick: (source: SweptSource) => number) => swept.reduce((total, source) => total + pick(source), 0);
  const skipped = swept.flatMap((source) => source.skipped ?? []);
  const locked = swept.flatMap((source) => source.locked ?? []);
  return {
    segments: sum(({ segments }) => segments),
    objects: sum(({ objects }) => objects),
    bytes: sum(({ bytes }) => bytes),
    /** What stays because it is locked, for people; absent where nothing does. */
    ...(locked.length > 0 && { locked: describeLocked(locked) }),
    /** Why some were left alone, for people; absent where none was. */
    ...(skipped.length > 0 && { skipped: shortList(skipped, { separator: "; " }) }),
  };
}

function describeLocked(locked: readonly LockedSegments[]): string {
  const objects = locked.reduce((total, one) => total + one.objects, 0);
  const until =
    locked
      .map((one) => one.until)
      .toSorted()
      .at(-1) ?? "";
  return `locks keep ${countOf(objects, "object")} of segments that no backup names, the last of them until ${lockEnd(until)}: a later sweep removes what is left`;
}
