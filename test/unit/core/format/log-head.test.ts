import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { logHeadBytes, parseLogHead } from "../../../../src/core/format/log-head.ts";
import { segmentsOf } from "../../../../src/core/format/meta.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { physicalMilliseconds } from "../../../../src/core/milvus/instant.ts";
import { goldenFiles } from "../../../support/golden-backup.ts";
import { printLogHead } from "../../../support/log-head.ts";

const binlogs = fileURLToPath(new URL("../../../fixtures/milvus-backup-0.5.16/binlogs/", import.meta.url));
const segments = parseFullMeta(goldenFiles.full_meta).value.collection_backups.flatMap(segmentsOf);

const headsOf = (pattern: string) =>
  globSync(pattern, { cwd: binlogs }).map((path) =>
    parseLogHead(readFileSync(`${binlogs}${path}`).subarray(0, logHeadBytes)),
  );

describe("the head of a log of Milvus 2.3.5", () => {
  test.each(segments.map((segment) => [segment.segment_id.toString(), segment] as const))(
    "tells the rows of segment %s, and when they were written",
    (id, { num_of_rows }) => {
      const [head, ...others] = headsOf(`insert_log/*/*/*/${id}/1/*`);

      expect(others).toEqual([]);
      expect(head && head.originalSize / 8n).toBe(num_of_rows);
      expect(new Date(Number(physicalMilliseconds(`${head?.to}`))).getUTCFullYear()).toBe(2026);
    },
  );

  test("tells what the deletes of a delta log take", () => {
    expect(
      headsOf("delta_log/*/*/*/*/*")
        .map((head) => head?.originalSize)
        .sort(),
    ).toEqual([44n, 44n, 46n, 46n, 86n]);
  });
});

describe("what is no such head", () => {
  const head = printLogHead({ from: 5n, to: 6n, originalSize: 16 });

  test("tells nothing", () => {
    expect(parseLogHead(head)).toEqual({ from: 5n, to: 6n, originalSize: 16n });
    const others = ["", "10 rows of field 1", `PAR1${"x".repeat(200)}`].map((text) => Buffer.from(text));
    for (const bytes of [...others, head.subarray(0, 60), head.subarray(0, 85)]) {
      expect(parseLogHead(bytes)).toBeUndefined();
    }
  });

  test("tells nothing where its writer left the timestamps 0, as those that came with 2.4", () => {
    expect(parseLogHead(printLogHead({ from: 0n, to: 0n, originalSize: 16 }))).toBeUndefined();
  });
});
