import type { CheckResult } from "../../core/check/result.ts";
import { type Runner, type Side, settingsOf } from "../../core/check/statements.ts";
import type { Environment } from "../../core/environment/environment.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import {
  backupsRoot,
  milvusLayout,
  probeLayout,
  probePrefix,
  probeTime,
  stagingRoot,
} from "../../core/format/layout.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ObjectStore, ObjectSummary } from "../../ports/object-store.ts";
import type { BucketFacts } from "../../ports/store-probe.ts";
import { Attempts, isDenied } from "./attempts.ts";

export interface StoreCheckContext {
  openStore(side: Side): Promise<ObjectStore>;
  readonly clock: Pick<Clock, "now">;
  /** true: backups are only restored from here; nothing is written beside them. */
  readonly restoreOnly?: boolean;
  /** false: who does it is not meant to ask whether the bucket locks objects. */
  readonly asksForLocks?: boolean;
  /** Who does it where the environment names neither keys nor a role. */
  readonly runner: Runner;
  /** Eight hex digits that tell the probes of this check from others'. */
  readonly id: string;
}

/** A probe that is older was left by a check that is over: one takes seconds. */
const oldAfterMilliseconds = 3_600_000;
/** How long the probe of a lock is locked. */
const lockMilliseconds = 60_000;
/** What is copied to see whether it may be, where that has to be an object of a backup, and of how many it is chosen. */
const smallBytes = 2 ** 20;
const mostSeen = 1_000;
const probeText = "written by milvus-backup check, to be removed by it\n";

/** Where a check writes: below the backup root, and among what is staged. */
interface Area {
  readonly name: "staging" | "backup";
  readonly side: Side;
  readonly root: string;
  readonly store: ObjectStore;
  readonly keys: ReturnType<typeof probeLayout>;
  /** Whether its list is granted. */
  readonly listed: boolean;
}

/**
 * Tries every permission that backups, restores and deletions of an environment need of its two buckets, by using it on objects of its own.
 * Below Milvus's root path it only lists and reads. What an earlier check left that was killed is removed.
 */
export async function checkStores(environment: Environment, context: StoreCheckContext): Promise<CheckResult[]> {
  const attempts = new Attempts(environment, context.runner);
  const milvus = await reach(environment, "milvus", attempts, context);
  if (milvus !== undefined) {
    await readOne("milvus read", "milvus", milvus.store, milvusLayout(environment.storage.rootPath).root, attempts);
  }
  const backup = await reach(environment, "backup", attempts, context);
  compareRegions(milvus?.facts, backup?.facts, attempts);
  const now = context.clock.now();
  const backupRoot = backupsRoot(environment.backupStorage.rootPath);
  const areaOf = (name: Area["name"], side: Side, root: string, reached: Reached | undefined): Area | undefined =>
    reached && { name, side, root, ...reached, keys: probeLayout(root, now, context.id) };
  const staging = areaOf("staging", "milvus", stagingRoot, milvus);
  const backups = context.restoreOnly ? undefined : areaOf("backup", "backup", backupRoot, backup);
  try {
    const staged = staging && (await writeProbes(environment, staging, attempts, now));
    const written = backups && (await writeProbes(environment, backups, attempts, now));
    const stored =
      context.restoreOnly && backup
        ? await readOne("backup read", "backup", backup.store, backupRoot, attempts)
        : written;
    if (staging && backups) await copyProbe("copy to backups", { ...staging, object: staged }, backups, attempts);
    if (staging && backup && (stored || !context.restoreOnly)) {
      const from = { name: "backup", side: "backup", store: backup.store, object: stored } as const;
      await copyProbe("copy from backups", from, staging, attempts);
    }
  } finally {
    for (const area of [staging, backups]) if (area) await removeProbes(area, attempts, now);
  }
  return attempts.results;
}

interface Reached {
  readonly store: ObjectStore;
  readonly listed: boolean;
  readonly facts: BucketFacts;
}

/** Lists below the root path of a side; undefined where nothing else of the bucket can be tried. */
async function reach(
  environment: Environment,
  side: Side,
  attempts: Attempts,
  context: StoreCheckContext,
): Promise<Reached | undefined> {
  let store: ObjectStore | undefined;
  let facts: BucketFacts = {};
  const fault = await attempts.try(`${side} bucket`, side, async () => {
    store = await context.openStore(side);
    await store.checkAccess();
    facts = (await store.probe?.facts()) ?? {};
    const { rootPath } = settingsOf(environment, side);
    const locks = side === "backup" && context.asksForLocks !== false ? [await locksOf(store, environment)] : [];
    return [store.label, `root path ${rootPath || "(none)"}`, ...tell(facts), ...locks].join(", ");
  });
  if (store === undefined || !(fault === undefined || isDenied(fault))) return undefined;
  return { store, facts, listed: fault === undefined };
}

function tell({ region, versions, versionsEnd }: BucketFacts): string[] {
  const ends = versionsEnd === true ? "a rule ends them" : "no rule is seen that ends them, docs/stores.md has one";
  return [
    ...(region === undefined ? [] : [`region ${region}`]),
    ...(versions === undefined || versions === "none"
      ? []
      : [`what is deleted stays as a version (versioning ${versions === "kept" ? "on" : versions}; ${ends})`]),
  ];
}

function compareRegions(milvus: BucketFacts | undefined, backup: BucketFacts | undefined, attempts: Attempts): void {
  const [from, to] = [milvus?.region, backup?.region];
  if (from === undefined || to === undefined || from === to) return;
  attempts.results.push({
    check: "regions",
    ok: true,
    detail:
      `Milvus's bucket lies in ${from}, the backups in ${to}: what is copied between them is paid for by the byte, and streamed where ` +
      "the functions' VPC endpoint refuses such copies, which takes a way from their network to both regions",
  });
}

/**
 * Lists and reads an object below a root, and writes nothing.
 * @returns a small one; undefined where none is seen or none can be read
 */
async function readOne(
  check: string,
  side: Side,
  store: ObjectStore,
  root: string,
  attempts: Attempts,
): Promise<ObjectSummary | undefined> {
  let small: ObjectSummary | undefined;
  const fault = await attempts.try(check, side, async () => {
    let seen = 0;
    let first: ObjectSummary | undefined;
    for await (const object of store.list(root)) {
      seen += 1;
      // nothing of an empty one can be read
      if (object.size > 0) first ??= object;
      if (object.size > 0 && object.size <= smallBytes) small = object;
      if (small !== undefined || seen >= mostSeen) break;
    }
    const object = small ?? first;
    if (object === undefined) return `not tried: nothing lies below ${root || "the root of the bucket"} yet`;
    await store.readRange(object, { offset: 0, size: 1 });
    return object.key;
  });
  return fault === undefined ? small : undefined;
}

/** @returns the object that other probes copy; undefined where it could not be written */
async function writeProbes(
  environment: Environment,
  area: Area,
  attempts: Attempts,
  now: Date,
): Promise<ObjectSummary | undefined> {
  const { name, side, store, keys } = area;
  let object: ObjectSummary | undefined;
  const fault = await attempts.try(`${name} write`, side, async () => {
    await store.putText(keys.object, probeText);
    return keys.object;
  });
  if (fault === undefined) {
    await attempts.try(`${name} read`, side, async () => {
      const text = await store.getText(keys.object);
      if (text !== probeText) {
        throw new PipelineError("StoreFailed", `${keys.object} in ${store.label} is not what was written there`);
      }
      object = await store.head(keys.object);
      const { kmsKey } = (await store.probe?.facts(keys.object)) ?? {};
      return `as it was written${kmsKey === undefined ? "" : `, encrypted with the KMS key ${kmsKey}`}`;
    });
  }
  const { probe } = store;
  if (probe !== undefined) {
    await attempts.try(`${name} upload`, side, async () => {
      const before = new Date(now.getTime() - oldAfterMilliseconds);
      const isProbe = (key: string) => probeTime(area.root, key) !== undefined;
      await probe.uploadInParts(keys.upload, { prefix: probePrefix(area.root), isProbe, before });
      return "in parts, and one that is given up";
    });
  }
  if (name === "backup" && environment.backupStorage.objectLock !== undefined) {
    await attempts.try("backup lock", side, async () => {
      const until = (later: number) => new Date(now.getTime() + lockMilliseconds + later).toISOString();
      const lock = { mode: "governance", until: until(0) } as const;
      await store.putText(keys.locked, probeText, { lock });
      await store.extendLock(keys.locked, { ...lock, until: until(1_000) });
      return "for a minute, and a second longer";
    });
  }
  return object;
}

async function copyProbe(
  check: string,
  { name, side, store, object }: Pick<Area, "name" | "side" | "store"> & { readonly object: ObjectSummary | undefined },
  to: Area,
  attempts: Attempts,
): Promise<void> {
  if (object === undefined) {
    attempts.results.push({ check, ok: false, detail: `not tried: it takes an object that ${name} read could read` });
    return;
  }
  const { bucket } = store;
  // a streamed copy reads with the source's credentials
  const signing = ({ details }: PipelineError) =>
    details.bucket === bucket && details.key === object.key && details.copy !== true ? side : to.side;
  await attempts.try(check, signing, async () => {
    await to.store.copyFrom(store, object, to.keys.copy);
    return `from ${bucket} to ${to.store.bucket}`;
  });
}

/** Takes away what this check wrote, and what earlier ones left. Also where nothing was written: whether it may is told all the same. */
async function removeProbes({ name, side, root, store, keys, listed }: Area, attempts: Attempts, now: Date) {
  const own = Object.values(keys);
  const fault = await attempts.try(`${name} delete`, side, async () => {
    await store.deleteKeys(own);
    const left = listed ? await oldProbes(store, root, now) : [];
    if (left.length > 0) await store.deleteKeys(left);
    const earlier = left.length === 0 ? "" : `, and ${left.length} that earlier checks left`;
    return `its own probes${earlier}`;
  });
  if (fault === undefined) return;
  const last = attempts.results.at(-1);
  if (last === undefined) return;
  const detail = `${last.detail}; probes stay below ${probePrefix(root)} in ${store.label}, until a check may remove them`;
  attempts.results.splice(-1, 1, { ...last, detail });
}

async function oldProbes(store: ObjectStore, root: string, now: Date): Promise<string[]> {
  const old: string[] = [];
  for await (const { key } of store.list(probePrefix(root))) {
    const time = probeTime(root, key);
    if (time !== undefined && now.getTime() - time.getTime() > oldAfterMilliseconds) old.push(key);
  }
  return old;
}

/**
 * Whether the bucket with the backups can lock them.
 * @throws InvalidEnvironment where the environment asks for locks, and it cannot
 */
async function locksOf(store: ObjectStore, { backupStorage }: Environment): Promise<string> {
  const { objectLock } = backupStorage;
  const { state, byDefault } = await store.bucketLock().catch((error: unknown) => {
    if (objectLock !== undefined || !isDenied(error)) throw error;
    return { state: "unknown", byDefault: undefined } as const;
  });
  if (objectLock !== undefined && state !== "on") {
    throw new PipelineError(
      "InvalidEnvironment",
      `minio.backupObjectLock is ${objectLock.for}, and ${store.label} has no Object Lock: leave the key out, or keep the backups in a bucket that has it`,
    );
  }
  const asked = objectLock === undefined ? "" : `, backups are locked for ${objectLock.for} (${objectLock.mode})`;
  switch (state) {
    case "on":
      return `Object Lock on${byDefault ? ` (by default ${byDefault})` : ""}${asked}`;
    case "unknown":
      return "whether it has Object Lock may not be asked (s3:GetBucketObjectLockConfiguration)";
    default:
      return "no Object Lock";
  }
}
