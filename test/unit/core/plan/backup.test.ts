import { describe, expect, test } from "vitest";
import { parseLogKey } from "../../../../src/core/format/layout.ts";
import { segmentsOf } from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { toCreateRequest } from "../../../../src/core/milvus/schema-mapping.ts";
import { estimateRowBytes, expectedFieldIds, loadStateOf, selectSegments } from "../../../../src/core/plan/backup.ts";
import type { SegmentDescription, SegmentState } from "../../../../src/ports/milvus.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { field, floatVector, int64, varChar } from "../../../support/milvus-fields.ts";

function segment(id: string, state: SegmentState, rest: Partial<SegmentDescription> = {}): SegmentDescription {
  return { id, collectionId: "1", partitionId: "2", rows: 10n, state, isL0: false, storageVersion: "0", ...rest };
}

describe("selectSegments", () => {
  const listed = [segment("1", "Flushed"), segment("2", "Flushing"), segment("3", "Sealed"), segment("4", "Sealed")];

  test("takes what the flush named, and nothing that was flushed later", () => {
    expect(selectSegments(listed, new Set(["2", "3"])).map(({ id }) => id)).toEqual(["2", "3"]);
  });

  test("takes what is flushed or flushing where nothing was flushed for it", () => {
    expect(selectSegments(listed, undefined).map(({ id }) => id)).toEqual(["1", "2"]);
  });

  test.each<SegmentState>(["Growing", "Dropped", "Importing", "Unknown"])(
    "never takes one that is %s, named or not",
    (state) => {
      expect(selectSegments([segment("1", state)], new Set(["1"]))).toEqual([]);
    },
  );

  test("leaves out what holds nothing, but keeps L0 segments, which hold deletes and no rows", () => {
    const listed = [segment("1", "Flushed", { rows: 0n }), segment("2", "Flushed", { rows: 0n, isL0: true })];

    expect(selectSegments(listed, new Set()).map(({ id }) => id)).toEqual(["2"]);
  });
});

describe("expectedFieldIds", () => {
  const { schema } = collectionDescription("coll");

  test("are the system fields and those of the schema, with the dynamic field that Milvus does not describe", () => {
    expect(expectedFieldIds("2.3.5", schema)).toEqual(["0", "1", "100", "101"]);
    expect(expectedFieldIds("2.3.5", { ...schema, enableDynamicField: true })).toEqual(["0", "1", "100", "101", "102"]);
  });

  test("are unknown where fields can be added later", () => {
    expect(expectedFieldIds("2.6.0", schema)).toBeUndefined();
  });

  test("are those that every segment of a real backup has", () => {
    const { value: backup } = parseFullMeta(goldenFiles.full_meta);
    for (const collection of backup.collection_backups) {
      const described = toCreateRequest(collection, { database: "default", collection: "x" }).schema;
      const expected = expectedFieldIds("2.3.5", described);
      for (const { binlogs } of segmentsOf(collection)) {
        const fields = binlogs.map(({ binlogs: [log] }) => parseLogKey(log?.log_path ?? "")?.fieldId);
        expect([...fields].sort()).toEqual([...(expected ?? [])].sort());
      }
    }
  });
});

test("loadStateOf knows the three states of the format", () => {
  expect([0, 1, 99, 100].map(loadStateOf)).toEqual(["NotLoad", "Loading", "Loading", "Loaded"]);
});

test("estimateRowBytes counts vectors by their dimension and guesses texts", () => {
  const vector = field("vec", floatVector, { typeParams: [{ key: "dim", value: "784" }] });

  expect(estimateRowBytes([field("id", int64), vector])).toBe(16 + 8 + 784 * 4);
  expect(estimateRowBytes([field("text", varChar)])).toBeGreaterThan(16);
});
