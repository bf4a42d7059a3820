import { describe, expect, it } from "vitest";
import type { CopiedLog } from "../../../../src/core/execution/copy-plan.ts";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import {
  compareWithManifest,
  manifestFileOf,
  parseManifestIndex,
  parseManifestPart,
  printManifestIndex,
  printManifestObject,
  verifyManifestFile,
} from "../../../../src/core/format/manifest.ts";

const layout = backupLayout("backup", "b");
const { root } = layout;
const log = (id: number, size = 10): CopiedLog => ({
  from: `files/insert_log/1/2/3/100/${id}`,
  key: `${root}binlogs/insert_log/1/2/3/3/100/${id}`,
  size,
  etag: `e${id}`,
});
const corrupt = (pattern: RegExp) =>
  expect.objectContaining({ name: "CorruptBackup", message: expect.stringMatching(pattern) });

function part(collectionId: string, logs: readonly CopiedLog[]) {
  const text = logs.map((each) => printManifestObject(each, layout)).join("");
  const bytes = logs.reduce((sum, { size }) => sum + size, 0);
  return { text, part: { ...manifestFileOf("manifest/1-0.jsonl", text), collectionId, objects: logs.length, bytes } };
}

describe("a part", () => {
  it("lists objects relative to the backup, with their checksums, and reads back", () => {
    // act
    const { text, part: listed } = part("1", [log(5), { ...log(6, 20), checksum: "md5:9e10" }]);

    // assess
    expect([...parseManifestPart(text, listed)]).toEqual([
      { key: "binlogs/insert_log/1/2/3/3/100/5", size: 10, etag: "e5" },
      { key: "binlogs/insert_log/1/2/3/3/100/6", size: 20, etag: "e6", checksum: "md5:9e10" },
    ]);
  });

  it("is refused where its index says another number of objects, or a line is none", () => {
    const { text, part: listed } = part("1", [log(5), log(6, 20)]);
    const broken = text.replace('"size":20', '"size":-1');

    expect(() => [...parseManifestPart(text, { ...listed, objects: 3 })]).toThrow(
      corrupt(/lists 2 objects, .* says 3/),
    );
    expect(() => [...parseManifestPart(broken, { ...listed, ...manifestFileOf(listed.key, broken) })]).toThrow(
      corrupt(/line 2: /),
    );
  });

  it("never lists what lies outside of the backup", () => {
    expect(() => printManifestObject({ ...log(5), key: "elsewhere/5" }, layout)).toThrow(/does not lie below/);
  });
});

describe("the index", () => {
  const parts = [part("1", [log(5), log(6, 20)])];
  const printed = printManifestIndex({
    backupName: "b",
    backupId: "id",
    created: "2026-11-21T11:03:07.000Z",
    pipelineVersion: "0.1.0",
    instants: [],
    metas: [manifestFileOf("meta/full_meta.json", '{"name":"b"}')],
    parts: parts.map((each) => each.part),
  });

  it("adds up its parts and reads back", () => {
    expect(parseManifestIndex(printed, "m.json")).toMatchObject({
      version: 2,
      objects: 2,
      bytes: 30,
      parts: [{ objects: 2 }],
    });
  });

  it.each([
    ["cut off", printed.slice(0, 100)],
    ["something else", "[]"],
  ])("is refused where it is %s", (_what, text) => {
    expect(() => parseManifestIndex(text, "m.json")).toThrow(corrupt(/^m\.json is no manifest of version 1 to 4: /));
  });

  it("is refused where it is of a later version, with what to do", () => {
    const later = printed.replace('"version": 2', '"version": 5');
    expect(() => parseManifestIndex(later, "m.json")).toThrow(corrupt(/version 5.*update the pipeline/));
  });

  it("of version 1 has no instants", () => {
    const { instants: _, ...first } = JSON.parse(printed);
    expect(parseManifestIndex(JSON.stringify({ ...first, version: 1 }), "m.json").instants).toEqual([]);
  });

  it("is of version 3 only where it keeps what the format cannot hold: earlier versions would lose it", () => {
    const kept = {
      collectionId: "5",
      collection: "default.docs",
      schema: { enable_namespace: true },
      fields: [{ fieldId: "101", name: "day", values: { is_clustering_key: true } }],
    };
    const { version: _, objects, bytes, ...index } = parseManifestIndex(printed, "m.json");

    expect(parseManifestIndex(printManifestIndex({ ...index, kept: [kept] }), "m.json")).toMatchObject({
      version: 3,
      kept: [kept],
    });
  });

  it("finds a part or meta that was changed", () => {
    const index = parseManifestIndex(printed, "m.json");
    const [part] = index.parts;
    const [meta] = index.metas;
    const text = parts[0]?.text ?? "";
    expect(() => part && [...parseManifestPart(text.replace('"size":10', '"size":11'), part)]).toThrow(
      corrupt(/1-0\.jsonl.*SHA-256/),
    );
    expect(() => meta && verifyManifestFile('{"name":"c"}', meta)).toThrow(corrupt(/full_meta\.json.*SHA-256/));
    expect(() => meta && verifyManifestFile('{"name":"b"}', meta)).not.toThrow();
  });
});

describe("compareWithManifest", () => {
  const listed = [
    { key: "binlogs/a", size: 1, etag: "" },
    { key: "binlogs/b", size: 2, etag: "" },
  ];

  it("finds nothing where all is as listed", () => {
    expect(compareWithManifest(listed, listed)).toEqual([]);
  });

  it("names what is missing, what differs and what does not belong", () => {
    expect(
      compareWithManifest(listed, [
        { key: "binlogs/b", size: 3 },
        { key: "binlogs/c", size: 1 },
      ]),
    ).toEqual([
      "binlogs/a is missing",
      "binlogs/b has 3 bytes, the manifest says 2",
      "binlogs/c is not in the manifest",
    ]);
  });
});
