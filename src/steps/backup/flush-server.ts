import * as z from "zod";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import type { BackupInput } from "../../core/execution/messages.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { CollectionName, FlushedServer } from "../../core/milvus/descriptions.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import { features } from "../../core/milvus/version.ts";
import { noServerFlush, type ServerFlush, segmentsBefore, serverFlush } from "../../core/plan/server-flush.ts";
import type { Milvus } from "../../ports/milvus.ts";
import { readWorkJsonIfThere, type WorkFiles, writeWorkJson } from "../shared/work-files.ts";

/** Lists of segments at once. */
const listConcurrency = 8;

/** How long what a flush of the whole server sealed may take: as long as the flush of one collection may. */
const longestMilliseconds = 10 * 60_000;
const pollMilliseconds = 100;

/**
 * Whether a backup flushes the whole server at once. It does for a backup of everything: one call in place of one a collection, which Milvus lets
 * through every 10 s each, and one instant for all. A backup of some collections leaves the others alone, unless it is asked for.
 */
export function flushesServer({ strategy = "flush", collections = [] }: BackupInput): boolean {
  return strategy === "bulk_flush" || (strategy === "flush" && collections.length === 0);
}

/** A user who may not, a server that will not or does not answer: each collection may still be flushed. */
const givenUpFor: ReadonlySet<string> = new Set(["MilvusUnauthenticated", "MilvusFailed", "MilvusBusy"]);

/** What became of the flush of a whole server. */
export type FlushOutcome =
  | { readonly state: "flushed"; readonly flush: ServerFlush }
  /** Time ran out: to be asked again. */
  | { readonly state: "pending" }
  /** Each collection is to be flushed by itself. */
  | { readonly state: "none"; readonly warning?: string };

/**
 * Flushes the whole server once an execution: what it answered is kept before it is waited for. Where the server cannot, will not or does not come
 * to an end, that is kept too, and each collection is flushed by itself: a backup does not depend on it.
 * @param until Unix milliseconds: when to give the waiting to another invocation
 * @throws what the server refuses, where a flush of the whole server is what was asked for; and what the store throws
 */
export async function flushServer(
  milvus: Milvus,
  selected: readonly CollectionName[],
  { input, version, until }: { readonly input: BackupInput; readonly version: string; readonly until: number },
  { context, layout }: WorkFiles,
): Promise<FlushOutcome> {
  const asked = input.strategy === "bulk_flush";
  if (!features(version).flushAll) {
    return asked ? { state: "none", warning: notThere(version) } : { state: "none" };
  }
  const key = layout.serverFlush;
  const kept = await readWorkJsonIfThere(context, key, z.union([serverFlush, noServerFlush]));
  if (kept && "warning" in kept) return { state: "none", ...kept };
  try {
    const flush = kept ?? (await begin());
    if (flush === undefined) return await giveUp(notThere(version));
    if (!flush.isOver) {
      if (!(await isOver(flush))) return { state: "pending" };
      await writeWorkJson(context, key, { ...flush, isOver: true } satisfies ServerFlush);
    }
    return { state: "flushed", flush };
  } catch (error) {
    if (asked || !(error instanceof PipelineError) || !givenUpFor.has(error.name)) throw error;
    return await giveUp(messageOf(error));
  }

  async function begin(): Promise<ServerFlush | undefined> {
    const before = await settleEach(selected, listConcurrency, async (name) => ({ name, listed: await listed(name) }));
    const answer: FlushedServer | undefined = await milvus.flushAll();
    if (answer === undefined) return undefined;
    const flush: ServerFlush = {
      ...answer,
      askedAt: context.clock.now().toISOString(),
      before: Object.fromEntries(
        before.flatMap(({ name, listed }) => (listed ? [[qualifiedName(name), segmentsBefore(listed)]] : [])),
      ),
    };
    await writeWorkJson(context, key, flush);
    return flush;
  }

  /** undefined for a collection that was dropped meanwhile. */
  async function listed(name: CollectionName) {
    try {
      return await milvus.listSegments(name);
    } catch (error) {
      if (error instanceof PipelineError && error.name === "CollectionNotFound") return undefined;
      throw error;
    }
  }

  async function isOver(flush: ServerFlush): Promise<boolean> {
    for (;;) {
      if (await milvus.isFlushedAll(flush)) return true;
      const now = context.clock.now().getTime();
      if (now - Date.parse(flush.askedAt) > longestMilliseconds) {
        throw new PipelineError(
          "MilvusBusy",
          `Milvus at ${milvus.address} did not flush within ${longestMilliseconds / 60_000} minutes what FlushAll sealed`,
          { details: { address: milvus.address, call: "FlushAll" } },
        );
      }
      if (now >= until) return false;
      await context.clock.sleep(pollMilliseconds);
    }
  }

  async function giveUp(because: string): Promise<FlushOutcome> {
    const warning = `the whole server could not be flushed at once (FlushAll), so each collection was flushed by itself and has an instant of its own: ${because}`;
    await writeWorkJson(context, key, { warning });
    return { state: "none", warning };
  }
}

function notThere(version: string): string {
  return `Milvus ${version} has no FlushAll with messages (2.6.11 and newer have)`;
}
