import * as z from "zod";
import { checkConfirmed } from "../../core/environment/protection.ts";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import type { PrepareRestoreResult, RestoreInput, RestoreStepRequest } from "../../core/execution/messages.ts";
import { checkRestoreOptions } from "../../core/execution/restore-conflicts.ts";
import { settleAll, settleBehind } from "../../core/execution/settle.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import { workLayout } from "../../core/execution/work-layout.ts";
import { backupLayout, stagingRoot } from "../../core/format/layout.ts";
import type { CollectionSchema } from "../../core/format/meta.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { isOutdated, type LastRestored } from "../../core/format/target-lease.ts";
import { checkBackupName, parseQualifiedName, qualifiedName } from "../../core/milvus/names.ts";
import { notRestoredWarnings } from "../../core/milvus/not-carried.ts";
import { features } from "../../core/milvus/version.ts";
import type { RestorePlan } from "../../core/plan/planned-restore.ts";
import { collectionOf, planRestore, takenAtOf } from "../../core/plan/restore.ts";
import { type RestoreName, restoreIdOf } from "../../core/plan/restore-names.ts";
import {
  type CollectionRecord,
  collectionRecord,
  replacedRecord,
  restoreWorkLayout,
} from "../../core/plan/restore-work.ts";
import type { PayloadReader } from "../../ports/payload-reader.ts";
import type { SigningKeys } from "../../ports/signing.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { checkAllowed } from "../shared/allowed.ts";
import { lookForBackup } from "../shared/find-backup.ts";
import { writeHeld } from "../shared/held.ts";
import { pinEnvironments, pinnedEnvironment } from "../shared/pinned-environments.ts";
import { markReader, readerKeyOf, unmarkReader } from "../shared/readers.ts";
import { checkTellsContent, onlyPinned, readSignedManifest } from "../shared/signatures.ts";
import type { Instants } from "../shared/stored-backup.ts";
import { giveBackTargets, leasesOf, takeTargets } from "../shared/target-leases.ts";
import { readWorkJsonIfThere, writeCopyBatches, writeImportFiles, writeWorkJson } from "../shared/work-files.ts";
import { checkReadable } from "./check-readable.ts";
import { checkTarget, type SeenTarget } from "./check-target.ts";
import { databaseWarnings } from "./databases.ts";
import { discardRestore } from "./discard-restore.ts";
import { checkExistingIndexes } from "./existing-indexes.ts";
import { importTermsOf } from "./import-terms.ts";
import { Insertions } from "./insertion-files.ts";
import { lookAtDeletes, nothingToRead } from "./look-at-deletes.ts";
import { lookAtLogs } from "./look-at-logs.ts";
import { nameRestored } from "./name-restored.ts";
import { copiesOf } from "./planned-copies.ts";
import { checkRbac } from "./restore-rbac.ts";
import { noteStaging } from "./staged-places.ts";
import { checkTargetLimits } from "./target-limits.ts";
import { chooseVerification, comparedCopies } from "./verify-backup.ts";

/** What Prepare Restore gets beside what every step does. */
interface VerifyingContext extends MilvusContext {
  /** Asked for where a backup has to be signed. */
  signingKeys?(): Promise<Pick<SigningKeys, "verify">>;
  /** What reads the payloads of binlogs; loaded where deletes are to be read. */
  payloads(): Promise<PayloadReader>;
}

/**
 * First step of a restore: reads the backup, checks everything that can be wrong before the target is touched, plans imports and
 * what to stage, and writes plan and batches into the work bucket. The metas are read twice, as they come: first for the plan, then
 * for what every segment must hold.
 * @throws InvalidInput, EnvironmentNotAllowed, EnvironmentProtected, UntrustedBackup, BackupNotFound, BackupInUse, CorruptBackup, ObjectArchived, CopyMismatch where the backup was replaced meanwhile, CollectionNotFound,
 *   TargetExists, SchemaMismatch, UnsupportedByTarget, AlreadyRunning, EnvironmentChanged and what environments, stores and Milvus throw
 */
export async function prepareRestore(
  request: RestoreStepRequest,
  context: VerifyingContext,
): Promise<PrepareRestoreResult> {
  const { execution, input: asked } = request;
  checkRestoreOptions(asked);
  // A discard removes what a restore made, whoever signed what it was made of.
  const signedBy = asked.discard ? undefined : asked.signedBy;
  const input: RestoreInput = signedBy === undefined ? asked : { ...asked, verify: "content" };
  const layout = workLayout("restore", execution.name);
  checkAllowed(context.allowed, { restore: input.environment, read: input.from ?? input.environment });
  await pinEnvironments(context, layout, [input.environment, input.from ?? input.environment]);
  const [environment, from] = await settleAll([
    pinnedEnvironment(context, layout, input.environment),
    pinnedEnvironment(context, layout, input.from ?? input.environment),
  ]);
  checkConfirmed(environment, input.confirm, "nothing is restored into it");
  const [backupStore, milvusStore, milvus] = await settleAll([
    context.openStore(pinnedStore(from, "backup")),
    context.openStore(pinnedStore(environment, "milvus")),
    context.connectMilvus(environment),
  ]);
  const backupName = checkBackupName(input.backupName);
  // no more than the backup itself: a grant in another account may reach no further
  const { root } = backupLayout(from.backupStorage.rootPath, backupName);
  const { stored, committed } = await settleBehind(
    settleAll([backupStore.checkAccess(root), milvusStore.checkAccess(stagingRoot)]),
    lookForBackup(backupStore, from.backupStorage, backupName),
  );
  if (stored.layout.shared) await backupStore.checkAccess(stored.layout.shared.root);

  if (signedBy !== undefined) checkTellsContent(stored, from.backupStorage, environment.storage);
  // Before anything of it is believed.
  const signed =
    signedBy === undefined
      ? undefined
      : await readSignedManifest(stored, from.backupStorage, signedBy, await keysOf(context));
  const metas = (await stored.streamMetas(committed)).keepSmall();
  const outlined = metas.outline();
  const readManifest = async () => signed ?? (await stored.readManifest());
  // a discard removes what a restore made, whatever became of the manifest since
  const manifest = await settleBehind(outlined, input.discard ? Promise.resolve(undefined) : readManifest());
  const { backup, complete, warnings } = await outlined;
  const named = nameRestored(backup, input, backupStore.label);
  const names = named.collections;
  await checkRbac(backup, input, { milvus, user: environment.milvus.user });
  const instants = stored.instantsOf(manifest, backup.id);
  const kept = stored.keptOf(manifest, backup.id);
  const notCarried = manifest?.backupId === backup.id ? (manifest.notCarried ?? {}) : {};
  const verification = chooseVerification({ stored, metas, manifest }, backup, instants, input);
  const restoreId = restoreIdOf(stateMachineOf(execution.id), milvus.address, backup.id, input.backupName, named);
  const version = await milvus.version();
  const records = restoreWorkLayout(restoreId);
  const look = async () => {
    const [made = [], replaced = []] = await settleAll([
      readWorkJsonIfThere(context, records.collections, z.array(collectionRecord)),
      readWorkJsonIfThere(context, records.replaced, z.array(replacedRecord)),
    ]);
    // A discard goes by what was seen then, whatever stands there now.
    if (input.discard) {
      return { made, seen: replaced.map(({ target, id }) => ({ target: parseQualifiedName(target), old: id })) };
    }
    return { made, seen: await checkTarget(milvus, { restoreId, version, backup, names, input, made, replaced }) };
  };
  const checkAhead = async () => {
    const { seen } = await look();
    if (!input.discard) await checkTargetLimits(milvus, { restoreId, version, backup, names, input, seen });
  };
  const restored = [...new Set(names.map(({ source }) => collectionOf(backup, source)))];
  const readable = async () => {
    if (!input.discard && !input.metadataOnly) await checkReadable(stored, restored);
  };
  // Once before anything is held, as most of what is wrong shows then.
  await settleBehind(checkAhead(), readable());
  const readerKey = readerKeyOf(stored, from.backupStorage, "restore", execution);
  const targets = leasesOf(
    environment,
    execution,
    names.map(({ target }) => target),
  );
  await writeHeld(context, layout, { targets, readerKey });
  const holdBackup = async () => {
    await markReader(context, stored, readerKey, execution);
    if (!complete) return;
    const there = await stored.committed();
    if (there === undefined) throw stored.notFound("it was deleted just now");
    metas.checkStillThose(there);
  };
  const last = await settleBehind(
    holdBackup(),
    takeTargets(milvusStore, targets, { execution, backupName: input.backupName }, context),
  );
  // Again with the leases: what stands there now is what is replaced.
  const { seen, made } = await look();
  const outdated = input.trigger === undefined ? [] : outdatedTargets(backup, { names, instants, seen, last, made });
  if (outdated.length > 0) {
    await giveBackTargets(milvusStore, targets, execution.id);
    await unmarkReader(context, readerKey);
    const none = { itemsKey: layout.items(0), batches: 0, segments: 0 };
    return { outcome: "skipped", backupName: input.backupName, collections: names.length, warnings: outdated, ...none };
  }
  const replaces = new Map(
    seen.flatMap(({ target, old }): [string, string][] => (old === undefined ? [] : [[qualifiedName(target), old]])),
  );
  if (!input.discard) await rememberReplaced(context, records.replaced, replaces);

  const isRead = !input.discard && !input.metadataOnly;
  const cutOf = (id: string) => instants.get(id);
  const known = isRead ? await lookAtLogs(stored, restored, cutOf) : new Map();
  const { l0End, importTimes } = features(version);
  const payloads = () => context.payloads();
  // what lies there is compared with what was signed only when it is copied
  const most = signedBy === undefined ? {} : { most: nothingToRead };
  const looking = { all: importTimes || signedBy !== undefined, payloads, ...most };
  const spread = isRead && (importTimes || !l0End) ? await lookAtDeletes(stored, restored, cutOf, looking) : new Map();
  const { plan, segments } = planRestore(backup, named, {
    restoreId,
    replaces,
    version,
    ...(await importTermsOf(stored, { environment, from }, restored, milvus)),
    input,
    instants,
    kept,
    known,
    spread,
    verification,
    metas: { sha256: metas.sha256 },
    warnings: [
      ...warnings,
      ...(input.discard ? [] : await databaseWarnings(milvus, { version, backup, names: named, input })),
      ...notRestoredWarnings(notCarried, names),
      ...(input.metadataOnly ? [] : notCut(backup, names, instants)),
    ],
  });
  if (!input.discard) {
    await checkExistingIndexes(plan, milvus);
    await writeImportFiles(context, layout, segments.importFiles());
  }
  await writeWorkJson(context, layout.plan, plan);
  // behind the plan, which tells whose note it is
  if (isRead) await noteStaging(context, restoreId, environment);
  const insertions = new Insertions();
  const copiesToCompare = comparedCopies({ stored, metas, manifest }, verification, copiesOf(metas, segments), (copy) =>
    insertions.note(copy),
  );
  const compared = signedBy === undefined ? copiesToCompare : onlyPinned(stored, signedBy, copiesToCompare);
  const toCopy = input.discard ? [] : { count: segments.count, segments: compared };
  const copies = await writeCopyBatches(context, layout, 0, toCopy, {
    source: pinnedStore(from, "backup"),
    destination: pinnedStore(environment, "milvus"),
    claim: { key: targets.pulse, holder: execution.id },
    checkLogCounts: false,
    ...(verification.compares === "contents" && { content: verification.reads ? "read" : "free" }),
  });
  await insertions.write(context, layout, schemasOf(plan, backup));
  const result = { backupName: input.backupName, collections: names.length, ...copies };
  if (input.discard) {
    const left = await discardRestore(plan, milvus, { environment, store: milvusStore }, context);
    await giveBackTargets(milvusStore, targets, execution.id);
    await unmarkReader(context, readerKey);
    return { outcome: "discarded", ...result, ...(left.length > 0 && { warnings: left }) };
  }
  context.log.info("restore planned", { restoreId, imports: plan.totals.imports, ...result });
  return { outcome: "planned", ...result };
}

/** Nothing signed is ever taken for granted: a function without keys restores nothing that has to be signed. */
async function keysOf(context: VerifyingContext): Promise<Pick<SigningKeys, "verify">> {
  if (context.signingKeys === undefined) throw new Error("this function was not given the keys that verify signatures");
  return context.signingKeys();
}

/**
 * Which targets hold this backup or a newer one, as sentences. Where one does, a trigger skips the whole restore: nothing is replaced
 * by something older.
 */
function outdatedTargets(
  backup: BackupOutline,
  {
    names,
    instants,
    seen,
    last,
    made,
  }: {
    readonly names: readonly RestoreName[];
    readonly instants: Instants;
    readonly seen: readonly SeenTarget[];
    readonly last: ReadonlyMap<string, LastRestored>;
    /** What a run of this very restore made that did not come to its end: it goes on. */
    readonly made: readonly CollectionRecord[];
  },
): string[] {
  const standingAt = new Map(seen.map(({ target, standing }) => [qualifiedName(target), standing]));
  const outdated = names.flatMap(({ source, target }) => {
    const to = qualifiedName(target);
    const collection = collectionOf(backup, source);
    const timestamp = takenAtOf(collection, instants.get(collection.collection_id.toString()));
    const before = last.get(to);
    if (made.some(({ id }) => id === before?.collectionId)) return [];
    return before && isOutdated({ id: backup.id, timestamp }, before, standingAt.get(to))
      ? [{ to, from: before.backupName }]
      : [];
  });
  const [first] = outdated;
  if (first === undefined) return [];
  return [
    `${shortList(outdated.map(({ to }) => to))}: backup ${first.from}, which is no older than this one, was restored there last; the trigger skips this ` +
      "one (restore it by hand if it is wanted)",
  ];
}

/** Written down where it outlives the execution, as it can only be seen now: later another collection may have the name. */
async function rememberReplaced(
  context: MilvusContext,
  key: string,
  replaces: ReadonlyMap<string, string>,
): Promise<void> {
  const earlier = (await readWorkJsonIfThere(context, key, z.array(replacedRecord))) ?? [];
  const records = [...replaces].map(
    ([target, id]) => earlier.find((one) => one.target === target && one.id === id) ?? { target, id },
  );
  if (records.length > 0 || earlier.length > 0) await writeWorkJson(context, key, records);
}

/** What is told of collections whose instant nobody knows: they are restored as they are. */
function notCut(backup: BackupOutline, names: readonly RestoreName[], instants: Instants): string[] {
  const without = names.filter(({ source }) => !instants.has(collectionOf(backup, source).collection_id.toString()));
  if (without.length === 0) return [];
  return [
    `${shortList([...new Set(without.map(({ source }) => qualifiedName(source)))])}: the backup does not say at which instant it was taken (milvus-backup ` +
      "and skip_flush leave none), so it is restored as it is: where rows were written or deleted while it was taken, it is not the " +
      "collection at one instant",
  ];
}

/** The schemas of the collections into which rows are inserted, by where these are written down. */
function schemasOf({ collections }: RestorePlan, backup: BackupOutline): ReadonlyMap<number, CollectionSchema> {
  return new Map(
    collections.flatMap(({ source, insertion }): [number, CollectionSchema][] =>
      insertion === undefined ? [] : [[insertion, collectionOf(backup, source).schema]],
    ),
  );
}
