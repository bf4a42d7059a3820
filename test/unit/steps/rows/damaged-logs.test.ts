import { expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { rowDocument } from "../../../../src/core/binlog/row-document.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import { CollectionRows } from "../../../../src/steps/rows/collection-rows.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { seedGolden } from "../../../support/golden-backup.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

/** The same numbers every time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("300 damaged logs of a real backup: each gives rows, or is refused by its name with an offset", {
  timeout: 120_000,
}, async () => {
  const store = new MemoryObjectStore("bucket-b");
  seedGolden(store, "golden");
  const stored = new StoredBackup(store, { rootPath: "backup" }, "golden");
  const { rows } = await CollectionRows.open(stored, parquetPayloads, "all_types");
  const logs = store
    .keys("backup/golden/binlogs/")
    .filter((key) => key.includes("/470615367219150891/470615367219150898/"));
  const below = numbers(16);
  const outcomes = { read: 0, refused: 0 };

  for (let round = 0; round < 300; round += 1) {
    const key = logs[below(logs.length)] ?? "";
    const whole = await store.getBytes(key);
    const damaged = Buffer.from(round % 5 === 0 ? whole.subarray(0, below(whole.length)) : whole);
    for (let change = 0; change <= below(4) && damaged.length > 0; change += 1) {
      damaged[below(damaged.length)] = below(256);
    }
    store.seed(key, damaged);
    try {
      for await (const row of rows.rows({ fields: rows.fields, partitions: ["p2"] })) rowDocument(row, rows.fields);
      outcomes.read += 1;
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      expect(error.name).toBe("CorruptBackup");
      // Fields of unequal lengths are told by the longer one, with the name of the other.
      expect(error.message).toContain(key);
      expect(error.message).toMatch(/, offset \d+: /);
      outcomes.refused += 1;
    }
    store.seed(key, Buffer.from(whole));
  }

  expect(outcomes.refused).toBeGreaterThan(150);
});
