import pLimit from "p-limit";
import * as z from "zod";
import { copyReceipt } from "../../src/core/execution/copy-plan.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import type { Machine } from "../../src/core/execution/machines.ts";
import { type ProgressRecord, progressRecord } from "../../src/core/execution/messages.ts";
import { type CopiedShare, countsOn, plannedAttempt, sharesOf } from "../../src/core/execution/planned-copies.ts";
import { parseWorkJson } from "../../src/core/execution/work-json.ts";
import { workLayout } from "../../src/core/execution/work-layout.ts";
import { qualifiedName } from "../../src/core/milvus/names.ts";
import type { ObjectStore } from "../../src/ports/object-store.ts";

/** How far an execution is, as its files in the work bucket tell. */
export interface Progress {
  /** What the preparing step planned; absent before. */
  readonly totals?: PlanTotals;
  /** Segments, objects and bytes that lie at the destination, by the receipts so far. */
  readonly copied: { readonly segments: number; readonly objects: number; readonly bytes: number };
  /** Of a restore: the collections that it makes, `db.coll`, as planned; absent before. */
  readonly targets?: readonly string[];
  /** Whether a restore loads anything in the end; absent where that is not planned yet, and for other machines. */
  readonly loads?: boolean;
  /** Imports into Milvus, and then the loading of what was imported; absent before the first. */
  readonly restoring?: ProgressRecord;
}

const totals = z.object({
  collections: z.number(),
  segments: z.number(),
  /** Only a restore knows them before it copies. */
  bytes: z.number().optional(),
  /** A transfer does not count them. A plan is never worth a failure: what is no number is left out. */
  rows: z.coerce.number().int().optional().catch(undefined),
});
export type PlanTotals = z.infer<typeof totals>;

/** As `totals.rows`: what is no name is left out. */
const plannedTarget = z.object({ database: z.string(), collection: z.string() }).optional().catch(undefined);

const planFile = z.object({
  attempt: z.number().default(0),
  totals,
  collections: z.array(plannedAttempt.extend({ load: z.unknown().optional(), target: plannedTarget })).optional(),
});

/** Receipts are small; a few at a time keep up with any pipeline. */
const receiptConcurrency = 8;

/** Reads the progress of one execution again and again; every receipt is read once. */
export interface ProgressReader {
  read(): Promise<Progress>;
  /** What was read last. */
  readonly last: Progress;
}

/** What the plan of a drill says of the execution that restores. */
const drillPlanFile = z.object({ restoreExecution: z.string() });

/**
 * The progress of an execution; of a drill it is that of its restore.
 * @param openWork opens the work bucket, when it is first read: the client of a store takes a moment to load
 */
export function createProgressReader(
  openWork: () => Promise<ObjectStore>,
  machine: Machine,
  execution: string,
): ProgressReader {
  if (machine !== "drill") return readerOf(openWork, machine, execution);
  let reader: ProgressReader | undefined;
  return {
    get last() {
      return reader?.last ?? { copied: nothing };
    },
    async read() {
      try {
        const { plan: key } = workLayout("drill", execution);
        const plan = reader === undefined ? await readJson(await openWork(), key, drillPlanFile) : undefined;
        if (plan) reader = readerOf(openWork, "restore", plan.restoreExecution);
      } catch (error) {
        if (!(error instanceof PipelineError)) throw error;
      }
      return reader === undefined ? { copied: nothing } : reader.read();
    },
  };
}

function readerOf(openWork: () => Promise<ObjectStore>, machine: Machine, execution: string): ProgressReader {
  const layout = workLayout(machine, execution);
  const receipts = new Map<string, readonly CopiedShare[]>();
  const limit = pLimit(receiptConcurrency);
  let plan: { etag: string; value: z.infer<typeof planFile> } | undefined;

  async function readPlan(work: ObjectStore): Promise<z.infer<typeof planFile> | undefined> {
    // A plan can be large; it is read again only when a later attempt has replaced it.
    const head = await work.head(layout.plan);
    if (head === undefined) return undefined;
    if (plan?.etag !== head.etag) {
      const value = await readJson(work, layout.plan, planFile);
      if (value) plan = { etag: head.etag, value };
    }
    return plan?.value;
  }

  async function readNewReceipts(work: ObjectStore): Promise<void> {
    const unread: string[] = [];
    for await (const { key } of work.list(layout.receipts)) {
      if (!receipts.has(key)) unread.push(key);
    }
    await Promise.all(
      unread.map((key) =>
        limit(async () => {
          const receipt = await readJson(work, key, copyReceipt);
          if (!receipt) return;
          receipts.set(key, sharesOf(receipt, Number.parseInt(key.slice(layout.receipts.length), 10)));
        }),
      ),
    );
  }

  async function readAll(): Promise<Progress> {
    const work = await openWork();
    const current = await readPlan(work);
    if (current === undefined) return { copied: nothing };
    await readNewReceipts(work);
    const copied = [...receipts.values()]
      .flat()
      .filter(countsOn(current))
      .reduce(
        (sum, share) => ({
          segments: sum.segments + share.segments,
          objects: sum.objects + share.objects,
          bytes: sum.bytes + share.bytes,
        }),
        nothing,
      );
    const restoring = machine === "restore" ? await readJson(work, layout.progress, progressRecord) : undefined;
    const loads = current.collections?.some(({ load }) => load !== undefined && load !== "none");
    const targets = current.collections?.flatMap(({ target }) => (target ? [qualifiedName(target)] : []));
    return {
      totals: current.totals,
      copied,
      ...(loads !== undefined && { loads }),
      ...(targets && targets.length > 0 && { targets }),
      ...(restoring && { restoring }),
    };
  }

  let last: Progress = { copied: nothing };
  return {
    get last() {
      return last;
    },
    async read() {
      try {
        last = await readAll();
      } catch (error) {
        // Progress is never worth a failure: whoever may not read the work bucket sees the states only.
        if (!(error instanceof PipelineError)) throw error;
      }
      return last;
    },
  };
}

const nothing = { segments: 0, objects: 0, bytes: 0 };

/** undefined where the file is not there (yet), or is not what this version writes. */
async function readJson<T>(work: ObjectStore, key: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    const text = await work.getTextIfPresent(key);
    return text === undefined ? undefined : parseWorkJson(text, key, schema);
  } catch (error) {
    if (error instanceof PipelineError && error.name === "StoreFailed") return undefined;
    throw error;
  }
}
