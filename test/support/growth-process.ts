import { readFileSync, writeFileSync } from "node:fs";
import { collectionDescription } from "./collection-description.ts";
import type { MemorySegment } from "./memory-milvus/collection.ts";
import { PipelineWorld } from "./pipeline-world.ts";
import { executionOf, type RunOptions, runBackup, runRestore, runVerify } from "./run-machines.ts";

/**
 * Backs up, verifies and restores a collection of a given number of segments (five objects each, in eight partitions), with the steps of the
 * functions and with stores and Milvus in memory, so that neither is the limit. Prints what each step took: its invocations, their time, the most
 * memory of one beside what was there before and what it wrote into the stores, and the most that a state carries on. To be started with
 * `--expose-gc`.
 */
interface Growth {
  step: string;
  invocations: number;
  milliseconds: number;
  peakBytes: number;
  payloadBytes: number;
}

const segments = Number(process.argv[2]);
/** Each directory that is imported is a segment: counting what lies there would make the server in memory the limit. */
const rowsOfSegment = 10n;
const fields = ["0", "1", "100", "101", "102"];
const id = "470000000000001000";
const partitions = Array.from({ length: 8 }, (_, index) => ({
  id: `${470_000_000_000_002_000n + BigInt(index)}`,
  name: index === 0 ? "_default" : `p${index}`,
}));

const world = new PipelineWorld({
  prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
  // a store of its own: what is restored is staged
  dr: {
    milvusAt: "bucket-c/files",
    backupAt: "bucket-b/backup",
    milvus: { version: "2.5.12", rowsOf: () => rowsOfSegment },
  },
});
const made = Array.from({ length: segments }, (_, index): MemorySegment => {
  const partitionId = partitions[index % partitions.length]?.id ?? "";
  const segment = {
    id: `${470_000_000_001_000_000n + BigInt(index)}`,
    collectionId: id,
    partitionId,
    rows: rowsOfSegment,
  };
  world.seedSegment("prod", segment, fields);
  return { ...segment, state: "Flushed", isL0: false, storageVersion: "0" };
});
world.milvus("prod").addCollection(collectionDescription("large", { id }), { partitions, segments: made });

const grown = new Map<string, Growth>();

function watch(machine: string): RunOptions {
  let { before, stored, began } = begin();
  return {
    after(name, _, result) {
      const milliseconds = performance.now() - began;
      const peakBytes = Math.max(0, memory("VmHWM") - before - (storedBytes() - stored));
      const step = `${machine}: ${name}`;
      const known = grown.get(step) ?? { step, invocations: 0, milliseconds: 0, peakBytes: 0, payloadBytes: 0 };
      grown.set(step, {
        step,
        invocations: known.invocations + 1,
        milliseconds: known.milliseconds + milliseconds,
        peakBytes: Math.max(known.peakBytes, peakBytes),
        // the items of a map are a file, and no payload
        payloadBytes: Math.max(known.payloadBytes, name === "read items" ? 0 : JSON.stringify(result).length),
      });
      ({ before, stored, began } = begin());
    },
  };
}

/** Copies are thousands: garbage is collected before a step only where that takes little beside it. */
let collectedAt = Number.NEGATIVE_INFINITY;
function begin(): { before: number; stored: number; began: number } {
  if (performance.now() - collectedAt > 1_000) {
    globalThis.gc?.();
    collectedAt = performance.now();
  }
  writeFileSync("/proc/self/clear_refs", "5");
  return { before: memory("VmRSS"), stored: storedBytes(), began: performance.now() };
}

/** What the stores hold: it is theirs, and not the step's. */
function storedBytes(): number {
  return [world.work, ...["bucket-a", "bucket-b", "bucket-c"].map((name) => world.bucket(name))].reduce(
    (sum, store) => sum + store.storedBytes,
    0,
  );
}

const context = world.context();
await runBackup(context, { environment: "prod", backupName: "large" }, executionOf("backup-1"), watch("backup"));
await runVerify(context, { environment: "prod", backupName: "large" }, executionOf("verify-1"), watch("verify"));
await runRestore(context, { environment: "dr", backupName: "large" }, executionOf("restore-1"), watch("restore"));
console.log(JSON.stringify({ segments, objects: segments * fields.length, steps: [...grown.values()] }));

function memory(what: "VmRSS" | "VmHWM"): number {
  const [, kibibytes = ""] =
    new RegExp(`^${what}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}
