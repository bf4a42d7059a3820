import { readFileSync, writeFileSync } from "node:fs";
import { collectionDescription } from "./collection-description.ts";
import { backUp, incrementalWorld, lacking } from "./incremental-world.ts";
import type { MemorySegment } from "./memory-milvus/collection.ts";

/**
 * Backs up a collection of a given number of segments (five objects each, in eight partitions) twice, nothing changed in between, in a process
 * of its own. Prints what the second backup answered, asked of the stores and took, and how many bytes of memory its steps took at most beside
 * the two stores, which are in it too. Linux tells, and forgets, the most that a process held.
 */
const segments = Number(process.argv[2]);
const fields = ["0", "1", "100", "101", "102"];
const id = "470000000000001000";
const partitions = Array.from({ length: 8 }, (_, index) => ({
  id: `${470_000_000_000_002_000n + BigInt(index)}`,
  name: index === 0 ? "_default" : `p${index}`,
}));

const world = incrementalWorld();
const made = Array.from({ length: segments }, (_, index): MemorySegment => {
  const partitionId = partitions[index % partitions.length]?.id ?? "";
  const segment = { id: `${470_000_000_001_000_000n + BigInt(index)}`, collectionId: id, partitionId, rows: 10n };
  world.seedSegment("prod", segment, fields);
  return { ...segment, state: "Flushed", isL0: false, storageVersion: "0" };
});
world.milvus("prod").addCollection(collectionDescription("large", { id }), { partitions, segments: made });

await backUp(world, "first");
const source = world.bucket("bucket-a");
const destination = world.bucket("bucket-b");
source.calls.length = 0;
destination.calls.length = 0;
globalThis.gc?.();
writeFileSync("/proc/self/clear_refs", "5");
const before = memory("VmRSS");
const began = performance.now();
const result = await backUp(world, "second");
const seconds = (performance.now() - began) / 1_000;
const peak = memory("VmHWM");
const calls = [...source.calls, ...destination.calls];
console.log(
  JSON.stringify({
    result,
    seconds,
    listings: calls.filter((call) => call.startsWith("list ")).length,
    copies: calls.filter((call) => call.startsWith("copyFrom ")).length,
    lacking: await lacking(world),
    peakBytes: peak - before,
  }),
);

function memory(what: "VmRSS" | "VmHWM"): number {
  const [, kibibytes = ""] =
    new RegExp(`^${what}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Number(kibibytes) * 1024;
}
