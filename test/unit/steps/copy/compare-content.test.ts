import { describe, expect, test } from "vitest";
import { compareContent } from "../../../../src/steps/copy/compare-content.ts";
import { repairLog } from "../../../../src/steps/copy/repair-log.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const [md5, other] = ["a".repeat(32), "b".repeat(32)];
const object = (etag: string, size = 10) => ({ key: "backup/log", size, etag });
const expected = { path: "log", size: 10, etag: md5, checksum: `md5:${md5}` };

/** A store that answers so, as one with KMS does, whose ETags only look like an MD5. */
class AnsweringStore extends MemoryObjectStore {
  readonly #answer: boolean | undefined;

  constructor(answer: boolean | undefined) {
    super("answering");
    this.#answer = answer;
  }

  override async hasContent(...of: Parameters<MemoryObjectStore["hasContent"]>): Promise<boolean | undefined> {
    this.calls.push(`hasContent ${of[1]}${of[2].read ? " read" : ""}`);
    return this.#answer;
  }
}

describe("an object is compared by what costs least", () => {
  test.each([
    ["its size", object(md5, 9), expected, undefined, "wrong"],
    ["what came out of its copy", object(other), expected, `md5:${md5}`, "right"],
    ["what came out of its copy, whatever its ETag", object(md5), expected, `md5:${other}`, "wrong"],
    ["the ETag that the manifest has", object("x-2"), { ...expected, etag: "x-2" }, undefined, "right"],
    ["the MD5 that the manifest has", object(md5), { ...expected, etag: "x-2" }, "crc64nvme:AAAA=", "right"],
    ["nothing, where the manifest has no checksum", object(other), { path: "log", size: 10 }, undefined, "unknown"],
  ] as const)("%s", async (_, listed, wanted, checksum, verdict) => {
    const store = new AnsweringStore(undefined);
    const copied = checksum && { checksum };

    expect(await compareContent(store, listed, wanted, { copied, read: true })).toBe(verdict);
    expect(store.calls).toEqual([]);
  });

  test.each([
    [true, "right"],
    [false, "wrong"],
    [undefined, "unknown"],
  ] as const)("one question to the store, which says %s", async (answer, verdict) => {
    const store = new AnsweringStore(answer);

    expect(await compareContent(store, object(other), expected, { read: false })).toBe(verdict);
    expect(store.calls).toEqual([`hasContent md5:${md5}`]);
  });
});

test("a log whose ETag only looks like another MD5 is right, and repairs what is lost elsewhere", async () => {
  const source = new AnsweringStore(true);
  source.seed("backup/log", "0123456789");
  const listed = (await source.head("backup/log")) ?? expect.fail("not seeded");
  const destination = new MemoryObjectStore("destination");
  const log = { from: "backup/log", key: "copy/log", expected, source: listed, existing: undefined };

  const repaired = await repairLog(log, { source, destination, confirm: async () => undefined, keeping: {} });

  expect(repaired.problem).toBeUndefined();
  expect(destination.read("copy/log")).toBe("0123456789");
});
