import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../../support/large-value-process.ts", import.meta.url));
const mebibyte = 2 ** 20;

/** Reads a binlog with one JSON of so many bytes in a process with a heap of 128 MiB. */
async function read(...sizes: number[]) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--max-old-space-size=128",
    script,
    ...sizes.map(String),
  ]);
  return JSON.parse(stdout) as { thrown?: { name: string; message: string }; logBytes: number; grown: number };
}

test("a gigabyte of JSON in one value, 33 KB in its binlog, is refused before it is decompressed, by object and offset", async () => {
  const { thrown, logBytes, grown } = await read(2 ** 30);

  expect(logBytes).toBeLessThan(100_000);
  expect(thrown?.name).toBe("CorruptBackup");
  expect(thrown?.message).toMatch(
    /^a\/log, offset \d+: its payload cannot be read: a page takes 1073741828 bytes, and Milvus writes none/,
  );
  expect(grown).toBeLessThan(64 * mebibyte);
});

test.each([1_000, 100_000_000])(
  "a gigabyte that says it is %i bytes is decompressed no further than that",
  async (claimed) => {
    const { thrown, grown } = await read(2 ** 30, claimed);

    expect(thrown).toMatchObject({ name: "CorruptBackup", object: "a/log" });
    expect(grown).toBeLessThan(claimed + 64 * mebibyte);
  },
);

test("100 MB in one value are more than Milvus takes; 1 MB are read, which is more than it takes too", async () => {
  const { thrown, grown } = await read(100_000_000);

  expect(thrown?.message).toMatch(/^a\/log, offset \d+: field meta has a value of 100000000 bytes/);
  expect(grown).toBeLessThan(512 * mebibyte);
  expect((await read(1_000_000)).thrown).toBeUndefined();
});
