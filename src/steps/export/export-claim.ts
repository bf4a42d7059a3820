import { PipelineError } from "../../core/execution/errors.ts";
import type { ExecutionRef } from "../../core/execution/messages.ts";
import { shortList } from "../../core/execution/short-list.ts";
import { executionNameOf, stateMachineOf } from "../../core/execution/state-machine-arn.ts";
import { type Claim, claimedUntil } from "../../core/format/claim.ts";
import { type ExportLayout, isExportFile } from "../../core/format/export-layout.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { attempts, type ClaimContext, failClaim, hasClaim, isHeld, readClaim, writeClaim } from "../shared/claim.ts";

/** The folder of an export. */
export interface ExportPlace {
  readonly store: ObjectStore;
  readonly layout: ExportLayout;
  /** `s3://bucket/prefix/`, for messages. */
  readonly url: string;
}

interface Claimant {
  readonly execution: ExecutionRef;
  readonly exportId: string;
  readonly backupName: string;
}

/**
 * Takes the claim on the folder of an export before anything is written there, or keeps the one it has. The claim of an execution that is over
 * is taken over where that wrote the same export: the same files, which this one goes on with.
 * @returns the ARN of the execution it was taken from, if any
 * @throws AlreadyRunning naming who writes there; TargetExists naming what lies there: an export, what is left of another one, or anything else
 */
export async function takeExportClaim(
  place: ExportPlace,
  { execution, exportId, backupName }: Claimant,
  context: ClaimContext,
): Promise<string | undefined> {
  const { store, layout } = place;
  const key = layout.claim;
  const said = (state: Claim["state"], takenFrom: string | undefined): Claim => ({
    version: 1,
    backupName,
    purpose: "export",
    state,
    holder: execution.id,
    stateMachine: stateMachineOf(execution.id),
    startedAt: new Date(execution.startTime).toISOString(),
    heartbeatAt: context.clock.now().toISOString(),
    exportId,
    ...(takenFrom !== undefined && { takenFrom }),
  });
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const found = await readClaim(store, key);
    if (found === undefined) {
      // Read back by the next round: a store without conditional writes takes everybody's.
      await writeClaim(store, key, said("checking", undefined), { ifAbsent: true });
      continue;
    }
    const { claim, etag } = found;
    if (claim?.exportId === undefined)
      throw taken(place, `${key} there says in a way that this version does not know who writes there`);
    if (claim.holder === execution.id) {
      if (claim.state === "checking") await checkEmpty(place, etag);
      else await checkOwnFiles(place, exportId);
      if (await writeClaim(store, key, said("writing", claim.takenFrom), { ifMatch: etag })) return claim.takenFrom;
      continue;
    }
    const held = await isHeld(claim, execution.id, context);
    if (held) throw heldBy(place, claim, held);
    if (claim.state !== "checking" && claim.exportId !== exportId) {
      const what = `what an export of backup ${claim.backupName} left that did not end (${executionNameOf(claim.holder)})`;
      throw taken(place, `${what}: this one is of something else, or in another format`);
    }
    context.log.info("taking over the export of an execution that is over", { key, from: claim.holder });
    // Only the version that was just read is replaced: of two executions that take over at once, one gets it.
    const state = claim.state === "checking" ? "checking" : "writing";
    await writeClaim(store, key, said(state, claim.holder), { ifMatch: etag });
  }
  throw new PipelineError(
    "AlreadyRunning",
    `several exports to ${place.url} started at once; start it again when they are over`,
    {
      details: { key },
    },
  );
}

/** Takes the claim away from an export that is complete; does nothing where somebody else has it by now, or nobody does. */
export async function releaseExportClaim({ store, layout }: ExportPlace, holder: string): Promise<void> {
  if (await hasClaim(store, { key: layout.claim, holder })) await store.deleteKeys([layout.claim]);
}

/**
 * What Release does with the claim on the folder of an export (`failClaim`).
 * @returns whether files may lie there
 * @throws StoreBusy
 */
export async function failExportClaim(place: ExportPlace, holder: string, context: ClaimContext): Promise<boolean> {
  const { store, layout } = place;
  const isComplete = async () => (await store.head(layout.manifest)) !== undefined;
  return failClaim(store, { key: layout.claim, holder }, isComplete, context);
}

/**
 * The files of an export that lie in its folder, by their keys relative to it.
 * @throws TargetExists naming what is none of them
 */
export async function listExportFiles(
  place: ExportPlace,
  exportId: string,
): Promise<Map<string, { readonly key: string; readonly size: number; readonly etag: string }>> {
  const { store, layout } = place;
  const files = new Map<string, { key: string; size: number; etag: string }>();
  const strangers: string[] = [];
  for await (const { key, size, etag } of store.list(layout.root)) {
    const relative = key.slice(layout.root.length);
    // some stores keep an empty object in place of a directory
    if (key === layout.claim || key === layout.manifest || (size === 0 && key.endsWith("/"))) continue;
    if (isExportFile(relative, exportId)) files.set(relative, { key, size, etag });
    else strangers.push(relative);
    if (strangers.length >= mostNamed) break;
  }
  if (strangers.length > 0) throw taken(place, `what this export did not write: ${shortList(strangers)}`);
  return files;
}

const mostNamed = 10;

/** @throws TargetExists where a complete export lies there */
async function checkNoManifest(place: ExportPlace): Promise<void> {
  if (await place.store.head(place.layout.manifest)) throw taken(place, "an export that is complete");
}

async function checkOwnFiles(place: ExportPlace, exportId: string): Promise<void> {
  await checkNoManifest(place);
  await listExportFiles(place, exportId);
}

/** Whoever takes a claim for the first time writes into an empty folder, or nowhere; throws TargetExists, with the claim taken away. */
async function checkEmpty(place: ExportPlace, etag: string): Promise<void> {
  const { store, layout } = place;
  try {
    await checkNoManifest(place);
    for await (const { key, size } of store.list(layout.root)) {
      if (key === layout.claim || (size === 0 && key.endsWith("/"))) continue;
      throw taken(place, `${key.slice(layout.root.length)} and maybe more`);
    }
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "TargetExists") throw error;
    // Another run of this step has written under the claim meanwhile: the next round sees it.
    if ((await readClaim(store, layout.claim))?.etag !== etag) return;
    await store.deleteKeys([layout.claim]);
    throw error;
  }
}

function taken({ url }: ExportPlace, what: string): PipelineError {
  return new PipelineError(
    "TargetExists",
    `${url} holds ${what}. An export begins in an empty folder: name another one, or remove what lies there first`,
    { details: { key: "destination" } },
  );
}

function heldBy({ url, layout }: ExportPlace, claim: Claim, held: "running" | "unknown"): PipelineError {
  const until = new Date(claimedUntil(claim)).toISOString();
  const who =
    held === "running"
      ? `execution ${executionNameOf(claim.holder)}: wait until it is over, or stop it`
      : `${claim.holder} of another deployment, which cannot be asked and said at ${claim.heartbeatAt} that it goes on. Wait until it is over: the ` +
        `folder is free at ${until} if it says nothing more (${layout.claim})`;
  return new PipelineError(
    "AlreadyRunning",
    `an export of backup ${claim.backupName} is already being written to ${url} by ${who}`,
    {
      details: { key: layout.claim, executionArn: claim.holder },
    },
  );
}
