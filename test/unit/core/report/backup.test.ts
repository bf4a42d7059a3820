import { describe, expect, it } from "vitest";
import { backupLayout } from "../../../../src/core/format/layout.ts";
import { backupReport, mostCollections, mostSegments, reportBackup } from "../../../../src/core/report/backup.ts";
import { outlineBackup } from "../../../../src/steps/catalog/get-backup.ts";
import { readBackupReport } from "../../../../src/steps/report/backup.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { now, verification } from "../../../support/report-facts.ts";
import { seedBackup } from "../../../support/seed-backup.ts";

async function golden() {
  const store = new MemoryObjectStore("bucket-b");
  seedBackup(store, "golden");
  return { store, outline: await outlineBackup(store, "backup", "golden") };
}

describe("the report of a backup", () => {
  it("has its collections with schema, indexes and partitions, and its segments by size", async () => {
    const { store } = await golden();
    const place = { rootPath: "backup", name: "golden", location: "bucket-b/backup/golden/" };

    const report = await readBackupReport(store, place, now);

    expect(backupReport.parse(report)).toEqual(report);
    expect(report).toMatchObject({
      backupName: "golden",
      state: "complete",
      milvusVersion: "v2.3.5-lite",
      segments: 12,
    });
    expect(report.collections.map(({ collection }) => collection)).toContain("shop.auto_ids");
    const [largest] = report.collections;
    expect(largest?.fields.find(({ attributes }) => attributes.includes("primary key"))).toBeDefined();
    expect(
      largest?.fields.some(
        ({ type, attributes }) => type === "FloatVector" && attributes.some((it) => /^dim \d+$/.test(it)),
      ),
    ).toBe(true);
    expect(report.collections.flatMap(({ indexes }) => indexes).length).toBeGreaterThan(0);
    expect(report.sizes.reduce((sum, { segments }) => sum + segments, 0)).toBe(12);
    expect(report.sizes.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(report.bytes);
    const sizes = report.largestSegments.map(({ bytes }) => bytes);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(report.collections.reduce((sum, { rows }) => sum + rows, 0)).toBe(report.rows);
  });

  it("says what the last verification found, and that a later version's record is none", async () => {
    const { store } = await golden();
    const place = { rootPath: "backup", name: "golden", location: "there" };
    store.seed(
      backupLayout("backup", "golden").verified,
      JSON.stringify(verification("2026-11-27T09:00:00Z", "failed")),
    );
    store.seed(backupLayout("backup", "golden").drilled, '{"version":9}');

    const report = await readBackupReport(store, place, now);

    expect(report.verification?.last).toMatchObject({ outcome: "failed", problems: 3, problemCount: 3 });
    expect(report).not.toHaveProperty("drill");
  });

  it("of 100,000 segments in 200 collections stays a page", async () => {
    const { outline } = await golden();
    const [collection] = outline.backup.collection_backups;
    const [partition] = collection?.partition_backups ?? [];
    const [segment] = partition?.segment_backups ?? [];
    if (!collection || !partition || !segment) throw new Error("the golden backup has segments");
    const segments = Array.from({ length: 500 }, (_, index) => ({ ...segment, size: BigInt(1_000 + index * 40_000) }));
    const collections = Array.from({ length: 200 }, (_, index) => ({
      ...collection,
      collection_name: `coll_${index}`,
      size: BigInt(index),
      l0_segments: [],
      partition_backups: [{ ...partition, segment_backups: segments }],
    }));

    const report = reportBackup({
      ...outline,
      backup: { ...outline.backup, collection_backups: collections },
      location: "there",
      now,
    });

    expect(report.segments).toBe(100_000);
    expect(report.collections).toHaveLength(mostCollections);
    expect(report.otherCollections).toMatchObject({ collectionCount: 150, segments: 75_000 });
    expect(report.largestSegments).toHaveLength(mostSegments);
    expect(report.sizes.length).toBeLessThan(12);
    expect(JSON.stringify(report).length).toBeLessThan(200_000);
  });
});
