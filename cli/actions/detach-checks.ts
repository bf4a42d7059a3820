import type { Environment } from "../../src/core/environment/environment.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import type { BackupInput, RestoreInput } from "../../src/core/execution/messages.ts";
import { backupLayout } from "../../src/core/format/layout.ts";
import { parseCollectionSelector } from "../../src/core/milvus/names.ts";
import type { ObjectStore } from "../../src/ports/object-store.ts";
import { nameRestored } from "../../src/steps/restore/name-restored.ts";
import { findBackup } from "../../src/steps/shared/find-backup.ts";
import { listDatabases, selectCollections } from "../../src/steps/shared/select-collections.ts";
import type { StoredBackup } from "../../src/steps/shared/stored-backup.ts";
import type { CliContext } from "../context.ts";
import type { Output } from "../output/output.ts";

/**
 * What `--detach` finds out before it leaves, so that nobody learns of a wrong name hours later: what the first step would refuse, as far as
 * it can be seen from this machine. What cannot be seen from here is said, and left to that step; from within the pipeline's network it is an error.
 */
export interface DetachChecks {
  readonly context: CliContext;
  readonly output: Output;
}

/** @throws BackupExists, CollectionNotFound, BucketNotFound, StoreAccessDenied, MilvusUnauthenticated, and in the pipeline's network what does not answer */
export async function checkBeforeBackup(
  { context, output }: DetachChecks,
  environment: Environment,
  { backupName = "", collections = [] }: BackupInput,
): Promise<void> {
  const store = await reachable({ context, output }, environment, "backup");
  if (store) {
    const stored = await findBackup(store, environment.backupStorage, backupName);
    if (await stored.committed()) throw stored.existsAlready();
  }
  await reachable({ context, output }, environment, "milvus");
  await unlessOutOfReach({ context, output }, `Milvus of ${environment.name}`, () =>
    context.connections.withMilvus(environment, async (milvus) => {
      const databases = await listDatabases(milvus, await milvus.version());
      await selectCollections(milvus, databases, collections.map(parseCollectionSelector));
    }),
  );
}

/** @throws BackupNotFound, CorruptBackup, CollectionNotFound, InvalidInput for names, and as `checkBeforeBackup` */
export async function checkBeforeRestore(
  checks: DetachChecks,
  { environment, from }: { readonly environment: Environment; readonly from: Environment },
  input: RestoreInput,
): Promise<void> {
  const { context } = checks;
  const stored = await existing(checks, from, input.backupName);
  if (stored) {
    nameRestored((await (await stored.streamMetas()).outline()).backup, input, stored.store.label);
  }
  await reachable(checks, environment, "milvus");
  await unlessOutOfReach(checks, `Milvus of ${environment.name}`, () =>
    context.connections.withMilvus(environment, (milvus) => milvus.version()),
  );
}

/** @throws BackupNotFound, and as `checkBeforeBackup` for both stores */
export async function checkBeforeCopy(
  checks: DetachChecks,
  { from, to }: { readonly from: Environment; readonly to: Environment },
  backupName: string,
): Promise<void> {
  const stored = await existing(checks, from, backupName);
  if (stored && !(await stored.committed())) throw stored.notFound("milvus-backup list shows what is there");
  await reachable(checks, to, "backup", backupName);
}

/** undefined where the store cannot be looked at from here. */
async function existing(checks: DetachChecks, from: Environment, name: string): Promise<StoredBackup | undefined> {
  const store = await reachable(checks, from, "backup", name);
  return store && findBackup(store, from.backupStorage, name);
}

/**
 * Looks whether a store answers.
 * @param backupName only what lies below this backup: a grant in another account may reach no further
 * @returns undefined, with a warning, where only the pipeline may get to it
 */
async function reachable(
  { context, output }: DetachChecks,
  environment: Environment,
  side: "milvus" | "backup",
  backupName?: string,
): Promise<ObjectStore | undefined> {
  const { credentials, rootPath } = side === "milvus" ? environment.storage : environment.backupStorage;
  const what = `the ${side} bucket of ${environment.name}`;
  return unlessOutOfReach(
    { context, output },
    what,
    async () => {
      const store = await context.connections.openStore(environment, side);
      await store.checkAccess(backupName === undefined ? undefined : backupLayout(rootPath, backupName).root);
      return store;
    },
    // a role is the pipeline's own: this machine may have none
    credentials.kind === "iam" ? ["StoreAccessDenied"] : [],
  );
}

async function unlessOutOfReach<T>(
  { context, output }: DetachChecks,
  what: string,
  look: () => Promise<T>,
  also: readonly string[] = [],
): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    const { inPipelineNetwork = false } = context.connections;
    const outOfReach =
      error instanceof PipelineError && ((error.kind === "outage" && !inPipelineNetwork) || also.includes(error.name));
    if (!outOfReach) throw error;
    output.warn(`${what} was not looked at, as this machine does not get there: ${error.message}`);
    return undefined;
  }
}
