import { beforeEach, describe, expect, test } from "vitest";
import type { CopiedLog } from "../../../../src/core/execution/copy-plan.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { type ManifestIndex, manifestFileOf, printManifestObject } from "../../../../src/core/format/manifest.ts";
import type { SizedSegment } from "../../../../src/core/plan/segment-copies.ts";
import { expectManifest } from "../../../../src/steps/shared/expect-manifest.ts";
import { StoredBackup } from "../../../../src/steps/shared/stored-backup.ts";
import { collected } from "../../../support/collected.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

const layout = backupLayout("backup", "nightly");
const directory = (collectionId: string, id: string) => `${layout.binlogs}insert_log/${collectionId}/2/${id}/${id}/`;
let store: MemoryObjectStore;
let stored: StoredBackup;

beforeEach(() => {
  store = new MemoryObjectStore("backups");
  stored = new StoredBackup(store, { rootPath: "backup" }, "nightly");
});

/** An index of parts, each with one log of every segment it names. */
function seedParts(parts: readonly { collectionId: string; ids: readonly string[] }[]): ManifestIndex {
  const listed = parts.map(({ collectionId, ids }, place) => {
    const logs = ids.map((id): CopiedLog => {
      const key = `${directory(collectionId, id)}100/1`;
      return { from: key, key, size: 10, etag: `etag-${id}`, checksum: `md5:${id}` };
    });
    const key = layout.manifestPart(collectionId, place);
    const text = logs.map((log) => printManifestObject(log, layout)).join("");
    store.seed(key, text);
    return { ...manifestFileOf(key.slice(layout.root.length), text), collectionId, objects: ids.length, bytes: 1 };
  });
  const head = { version: 2, backupName: "nightly", backupId: "id", created: "", pipelineVersion: "" } as const;
  return { ...head, instants: [], objects: 0, bytes: 0, metas: [], parts: listed };
}

async function* segments(collectionId: string, ids: readonly string[]): AsyncGenerator<SizedSegment> {
  for (const segmentId of ids) {
    const expect = [{ path: "100/1", size: 10 }];
    const prefixes = [{ kind: "insert", from: directory(collectionId, segmentId), to: "", expect }] as const;
    yield {
      bytes: 10,
      segment: { collectionId, partitionId: "2", segmentId, rows: "1", isL0: false, prefixes: [...prefixes] },
    };
  }
}

const etagsOf = (sized: readonly SizedSegment[]) =>
  sized.flatMap(({ segment }) => segment.prefixes.flatMap(({ expect = [] }) => expect.map(({ etag }) => etag)));
const partsRead = () => store.calls.filter((call) => call.startsWith("readText ")).length;

describe("what the manifest says of each log", () => {
  test("is read as the segments come, and of their collection only", async () => {
    const index = seedParts([
      { collectionId: "1", ids: ["10", "11"] },
      { collectionId: "1", ids: ["12", "13"] },
      { collectionId: "7", ids: ["70"] },
    ]);
    const expected = expectManifest(stored, index, segments("1", ["10", "11", "12", "13"]));

    const first = [(await expected.next()).value, (await expected.next()).value];
    expect(etagsOf(first as SizedSegment[])).toEqual(["etag-10", "etag-11"]);
    expect(partsRead()).toBe(1);
    expect(etagsOf(await collected(expected))).toEqual(["etag-12", "etag-13"]);
    expect(partsRead()).toBe(2);
  });

  test("is found for a segment that comes once for each of its copies, and in another order", async () => {
    const index = seedParts([{ collectionId: "1", ids: ["10", "11", "12"] }]);

    const found = await collected(expectManifest(stored, index, segments("1", ["12", "12", "10", "11"])));

    expect(etagsOf(found)).toEqual(["etag-12", "etag-12", "etag-10", "etag-11"]);
  });

  test("is looked for no further than it can lie: the rest of a large collection is not held for a log that is not listed", {
    timeout: 60_000,
  }, async () => {
    const ids = (part: number) => Array.from({ length: 30_000 }, (_, place) => String(1_000_000 * part + place));
    const index = seedParts(Array.from({ length: 6 }, (_, part) => ({ collectionId: "1", ids: ids(part) })));

    const expected = expectManifest(stored, index, segments("1", ["0", "missing", "99"]));

    const found = [(await expected.next()).value, (await expected.next()).value];
    expect(etagsOf(found as SizedSegment[])).toEqual(["etag-0", undefined]);
    expect(partsRead()).toBeLessThan(6);
    expect(etagsOf(await collected(expected))).toEqual(["etag-99"]);
  });

  test("is believed at the end of its parts only, where they are what the index says", async () => {
    const index = seedParts([
      { collectionId: "1", ids: ["10", "11"] },
      { collectionId: "7", ids: ["70"] },
    ]);
    const [key = ""] = store.keys(layout.manifestParts);
    store.seed(key, (store.read(key) ?? "").replace("etag-11", "etag-12"));

    for (const wanted of [segments("1", ["10"]), segments("1", ["10", "11"])]) {
      await expect(collected(expectManifest(stored, index, wanted))).rejects.toMatchObject({
        name: "CorruptBackup",
        message: expect.stringContaining("its SHA-256 differs"),
      });
    }
  });

  test("is nothing of a log that it does not list", async () => {
    const index = seedParts([{ collectionId: "1", ids: ["10"] }]);

    expect(etagsOf(await collected(expectManifest(stored, index, segments("1", ["10", "99"]))))).toEqual([
      "etag-10",
      undefined,
    ]);
    expect(etagsOf(await collected(expectManifest(stored, index, segments("3", ["10"]))))).toEqual([undefined]);
  });
});
