import { parquetPayloads } from "../../src/adapters/parquet/payload-reader.ts";
import type { DrillInput, ExecutionRef } from "../../src/core/execution/messages.ts";
import { executionArnOf } from "../../src/core/execution/state-machine-arn.ts";
import type { QueriedRow } from "../../src/ports/milvus.ts";
import type { DrillContext } from "../../src/steps/drill/drill-context.ts";
import { cleanDrill, releaseDrill } from "../../src/steps/drill/finish-drill.ts";
import { prepareDrill } from "../../src/steps/drill/prepare-drill.ts";
import { type SearchDrillContext, searchDrill } from "../../src/steps/drill/search-drill.ts";
import { payloadOf } from "./binlog-writer.ts";
import { collectionDescription } from "./collection-description.ts";
import type { FaultInjector } from "./fault-injector.ts";
import type { MemorySegment } from "./memory-milvus/collection.ts";
import { PipelineWorld, type WorldEnvironment } from "./pipeline-world.ts";
import { tick } from "./row-backup.ts";
import { ExecutionFailed, executionOf, type RunOptions, runBackup, runRestore } from "./run-machines.ts";
import { hnsw } from "./seed-shop.ts";

const books = "470000000000000100";
const partitions = [
  { id: "470000000000000200", name: "_default" },
  { id: "470000000000000201", name: "novels" },
] as const;
const rowsPerSegment = 15;

/** ARN of the machine that restores for drills. */
const restoreMachine = "arn:aws:states:us-east-1:000000000000:stateMachine:machine";

/** The rows of a segment: keys from `first` on, each with a vector of its own. */
function rowsFrom(first: number): QueriedRow[] {
  return Array.from({ length: rowsPerSegment }, (_, at) => {
    const id = first + at;
    const vector = new Uint8Array(new Float32Array([id, id % 7, 1 / (id + 1), -id]).buffer);
    return new Map<string, bigint | Uint8Array>([
      ["id", BigInt(id)],
      ["vec", vector],
    ]);
  });
}

/** What every backup of the world holds of `books`. */
export const bookRows = [...rowsFrom(0), ...rowsFrom(100), ...rowsFrom(200)];

/**
 * A world with `books` in prod, in segments of real binlogs: 45 rows in two partitions. What dr answers are the rows of the backup.
 * @param options.clustered the last segment came of a clustering compaction
 * @param options.environments `prod` and `dr`, where they are to lie elsewhere
 */
export function drillWorld(
  options: {
    readonly indexed?: boolean;
    readonly clustered?: boolean;
    readonly environments?: Readonly<Record<string, WorldEnvironment>>;
  } = {},
): PipelineWorld {
  const world = new PipelineWorld(options.environments);
  const segments = [0, 100, 200].map((first, index) => {
    const partitionId = partitions[index === 0 ? 0 : 1].id;
    const segment = seedRows(world, { collectionId: books, partitionId, id: `47000000000000030${index}` }, first);
    return options.clustered && index === 2 ? { ...segment, isL2: true } : segment;
  });
  world.milvus("prod").addCollection(collectionDescription("books", { id: books, aliases: ["library"] }), {
    partitions,
    segments,
    ...(options.indexed !== false && {
      indexes: [{ id: "470000000000000400", fieldName: "vec", indexName: "vec_idx", params: hnsw }],
    }),
    loaded: ["novels"],
  });
  world.milvus("dr").holdRows(() => bookRows);
  return world;
}

/** Puts a segment of `prod` there whose logs hold 15 real rows, with the keys from `first` on. */
export function seedRows(
  world: PipelineWorld,
  segment: Pick<MemorySegment, "collectionId" | "partitionId" | "id">,
  first: number,
): MemorySegment {
  const { collectionId, partitionId, id } = segment;
  const rows = rowsFrom(first);
  world.seedSegment("prod", { ...segment, rows: BigInt(rows.length) });
  const int64 = (values: readonly bigint[]) => payloadOf({ type: "int64", values });
  const timestamps = int64(rows.map((_, at) => tick(first + at)));
  const payloads: Readonly<Record<string, readonly [Uint8Array, number]>> = {
    "0": [int64(rows.map((_, at) => BigInt(first + at + 1))), 5],
    "1": [timestamps, 5],
    "100": [int64(rows.map((row) => row.get("id") as bigint)), 5],
    "101": [payloadOf({ type: { fixed: 16 }, values: rows.map((row) => row.get("vec")) }), 101],
  };
  for (const [field, [payload, dataType]] of Object.entries(payloads)) {
    const key = `insert_log/${collectionId}/${partitionId}/${id}/${field}/1${id}`;
    world.seedPayload("prod", { key, id, fieldId: BigInt(field), dataType }, payload);
  }
  return { ...segment, rows: BigInt(rows.length), state: "Flushed", isL0: false, storageVersion: "0" };
}

/** The same with a backup in it. */
export async function backedUpWorld(...options: Parameters<typeof drillWorld>): Promise<PipelineWorld> {
  const world = drillWorld(...options);
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
  return world;
}

/** What the steps of a drill get in a world. Executions that are stopped are over. */
function drillContext(world: PipelineWorld, faults?: FaultInjector): SearchDrillContext & DrillContext {
  const { running } = world.memory;
  return {
    ...world.context(faults),
    payloads: async () => parquetPayloads,
    restores: {
      arnOf: (name) => executionArnOf(restoreMachine, name),
      stop: async (arn) => {
        running.delete(arn);
      },
    },
  };
}

/** What ends a drill in its tracks: neither its next state nor its Release comes. */
export class Died extends Error {}

interface DrillOptions extends RunOptions {
  readonly faults?: FaultInjector;
  /** For its restore. */
  readonly restore?: RunOptions;
}

/** The state machine `drill`, in process: its restore is an execution of the machine `restore`, a failure is released and thrown. */
export async function runDrill(
  world: PipelineWorld,
  input: DrillInput,
  execution: ExecutionRef = executionOf("drill-1"),
  { faults, restore, retries = 0, after }: DrillOptions = {},
) {
  const context = drillContext(world, faults);
  const { running } = world.memory;
  running.add(execution.id);
  const request = { execution, input, attempt: 0 };
  const step = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    for (let left = retries; ; left -= 1) {
      try {
        const result = await run();
        await after?.(name, 0, result);
        return result;
      } catch (error) {
        if (error instanceof Died || left <= 0) throw error;
      }
    }
  };
  try {
    const prepared = await step("prepare", () => prepareDrill(request, context));
    if (prepared.outcome === "cleaned") return prepared;
    const child = executionOf(prepared.restoreExecution);
    await step("restore", async () => {
      running.add(child.id);
      try {
        await runRestore(context, prepared.restore, child, { retries, ...restore });
      } catch (error) {
        // A restore that dies with its drill is not seen to end.
        if (!(error instanceof Died)) running.delete(child.id);
        throw error;
      }
      running.delete(child.id);
    });
    for (let attempt = 0; attempt < 240; attempt += 1) {
      const { outcome, waitSeconds } = await step("search", () => searchDrill({ ...request, attempt }, context));
      if (outcome === "searched") break;
      await context.clock.sleep(waitSeconds * 1_000);
    }
    return await step("clean", () => cleanDrill(request, context));
  } catch (error) {
    if (error instanceof Died) throw error;
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const failure = { Error: name, Cause: JSON.stringify({ errorType: name, errorMessage: `${name}: ${message}` }) };
    throw new ExecutionFailed(error, await step("release", () => releaseDrill({ ...request, failure }, context)));
  } finally {
    running.delete(execution.id);
  }
}

/** Everything of drills and restores that is left anywhere: nothing, where all was well. */
export function leftOfDrills(world: PipelineWorld, environment = "dr") {
  const { bucket } = world.environment(environment).storage;
  return {
    staged: world.bucket(bucket).keys("milvus-backup-staging/"),
    records: [...world.work.keys("drills/"), ...world.work.keys("restores/"), ...world.work.keys("readers/")],
  };
}
export const nothingLeft = { staged: [], records: [] };
