import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ComparedLogs } from "../../../../src/steps/export/compared-logs.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const store = new MemoryObjectStore("bucket-b");
store.seed("logs/1", "rows");
const md5 = createHash("md5").update("rows").digest("hex");

test("a log that is what the manifest says is answered, and counts as compared", async () => {
  const logs = new ComparedLogs(store);
  logs.expect({ "logs/1": `md5:${md5}` });

  expect(Buffer.from(await logs.getBytes("logs/1")).toString()).toBe("rows");
  expect(logs.uncompared).toBe(0);
});

test("one that was altered at its size is named, and not answered", async () => {
  const logs = new ComparedLogs(store);
  logs.expect({ "logs/1": `md5:${createHash("md5").update("ROWS").digest("hex")}` });

  await expect(logs.getBytes("logs/1")).rejects.toMatchObject({
    name: "CorruptBackup",
    message: expect.stringMatching(`^logs/1 in .* was altered: its content \\(md5:${md5}\\)`),
  });
});

test.each<Readonly<Record<string, string>>>([{}, { "logs/1": "crc64nvme-of-parts:AAAA" }])(
  "one of which %j is known is answered, and counted",
  async (known) => {
    const logs = new ComparedLogs(store);
    logs.expect(known);

    await logs.getBytes("logs/1");

    expect(logs.uncompared).toBe(1);
  },
);
