import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BackupInfo, backupInfo, segmentLevelInfo } from "../../../../src/core/format/meta.ts";
import { type Codec, parseFile } from "../../../../src/core/format/meta-codec.ts";
import { withSizes } from "../../../../src/core/format/meta-files.ts";
import { anyOf } from "../../../support/any-record.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { levelFiles, printedFiles } from "../../../support/level-files.ts";

describe.each([
  ["a backup", backupInfo, 60],
  ["a segment level file", segmentLevelInfo, 200],
] as const)("%s", (_name, codec: Codec<object>, numRuns) => {
  it("comes back from its print equal, and prints the same bytes again", () => {
    fc.assert(
      fc.property(anyOf(codec), (value) => {
        const printed = codec.print(value);
        const { value: parsed, warnings } = parseFile(codec, printed, "file.json");
        expect(parsed).toEqual(value);
        expect(codec.print(parsed)).toBe(printed);
        expect(warnings).toEqual([]);
      }),
      { numRuns },
    );
  });

  it("is JSON that JSON.parse reads too", () => {
    fc.assert(
      fc.property(anyOf(codec), (value) => {
        expect(JSON.parse(codec.print(value))).toBeTypeOf("object");
      }),
      { numRuns: 20 },
    );
  });
});

/** As in every backup: a segment lies in the partition that its record is in. */
function related(backup: BackupInfo): BackupInfo {
  return {
    ...backup,
    collection_backups: backup.collection_backups.map((collection) => ({
      ...collection,
      partition_backups: collection.partition_backups.map((partition, index) => ({
        ...partition,
        partition_id: BigInt(index),
        segment_backups: partition.segment_backups.map((segment) => ({ ...segment, partition_id: BigInt(index) })),
      })),
      l0_segments: collection.l0_segments.map((segment) => ({ ...segment, partition_id: -1n })),
    })),
  };
}

describe("a backup that is printed in pieces", () => {
  it("gives the very bytes of its records printed whole, in all five files", async () => {
    await fc.assert(
      fc.asyncProperty(anyOf(backupInfo), async (value) => {
        const backup = withSizes(related(value));
        expect(await printedFiles(backup)).toEqual(levelFiles(backup));
      }),
      { numRuns: 150 },
    );
  });
});

describe("the golden full_meta.json cut off at a random place", () => {
  it("is always CorruptBackup", () => {
    fc.assert(
      fc.property(fc.nat({ max: goldenFiles.full_meta.length - 1 }), (length) => {
        expect(() => parseFile(backupInfo, goldenFiles.full_meta.slice(0, length), "full_meta.json")).toThrow(
          expect.objectContaining({ name: "CorruptBackup", message: expect.stringContaining("full_meta.json") }),
        );
      }),
      { numRuns: 150 },
    );
  });

  it("and with a random byte broken is CorruptBackup or reads as something else, but never crashes", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: goldenFiles.full_meta.length - 1 }),
        fc.constantFrom("\0", "{", "]", '"', ",", "x", "-", "."),
        (at, broken) => {
          const text = goldenFiles.full_meta.slice(0, at) + broken + goldenFiles.full_meta.slice(at + 1);
          let outcome: unknown;
          try {
            outcome = parseFile(backupInfo, text, "full_meta.json").value;
          } catch (error) {
            outcome = error;
          }
          expect(outcome).toSatisfy(
            (value: { name: string }) => value.name === "CorruptBackup" || "collection_backups" in value,
          );
        },
      ),
      { numRuns: 150 },
    );
  });
});
