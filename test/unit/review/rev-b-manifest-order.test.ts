import { expect, test } from "vitest";
import type { CopiedLog } from "../../../src/core/execution/copy-plan.ts";
import { backupLayout } from "../../../src/core/format/layout.ts";
import {
  type ManifestIndex,
  type ManifestPart,
  manifestFileOf,
  manifestPartObjects,
  printManifestObject,
} from "../../../src/core/format/manifest.ts";
import type { SizedSegment } from "../../../src/core/plan/segment-copies.ts";
import { expectManifest } from "../../../src/steps/shared/expect-manifest.ts";
import { StoredBackup } from "../../../src/steps/shared/stored-backup.ts";
import { MemoryObjectStore } from "../../support/memory-object-store.ts";

const layout = backupLayout("backup", "nightly");
const [partitions, segmentsOfPartition, logsOfSegment] = [16, 100, 100];

// Before 2801b4c (inPartitionOrder) a manifest had its logs in Milvus's order of segments, and the metas had them by partition.
test.fails("a manifest of an earlier version, in Milvus's order of segments, has every log of the metas", {
  timeout: 120_000,
}, async () => {
  const store = new MemoryObjectStore("backups");
  const stored = new StoredBackup(store, { rootPath: "backup" }, "nightly");
  const directory = (partition: number, id: number) => `${layout.binlogs}insert_log/1/${partition}/${id}/${id}/`;
  const logs: CopiedLog[] = [];
  for (let id = 0; id < partitions * segmentsOfPartition; id += 1) {
    for (let log = 0; log < logsOfSegment; log += 1) {
      const key = `${directory(id % partitions, 1000 + id)}${100 + log}/1`;
      logs.push({ from: key, key, size: 10, etag: `etag-${id}-${log}` });
    }
  }
  const parts: ManifestPart[] = [];
  for (let from = 0; from < logs.length; from += manifestPartObjects) {
    const some = logs.slice(from, from + manifestPartObjects);
    const key = layout.manifestPart("1", parts.length);
    const text = some.map((log) => printManifestObject(log, layout.root)).join("");
    store.seed(key, text);
    parts.push({
      ...manifestFileOf(key.slice(layout.root.length), text),
      collectionId: "1",
      objects: some.length,
      bytes: 1,
    });
  }
  const head = { version: 1, backupName: "nightly", backupId: "id", created: "", pipelineVersion: "" } as const;
  const index: ManifestIndex = { ...head, instants: [], objects: logs.length, bytes: 0, metas: [], parts };

  async function* inMetaOrder(): AsyncGenerator<SizedSegment> {
    for (let partition = 0; partition < partitions; partition += 1) {
      for (let at = 0; at < segmentsOfPartition; at += 1) {
        const id = at * partitions + partition;
        const expected = Array.from({ length: logsOfSegment }, (_, log) => ({ path: `${100 + log}/1`, size: 10 }));
        const from = directory(partition, 1000 + id);
        yield {
          bytes: 10,
          segment: {
            ...{
              collectionId: "1",
              partitionId: String(partition),
              segmentId: String(1000 + id),
              rows: "1",
              isL0: false,
            },
            prefixes: [{ kind: "insert", from, to: "", expect: expected }],
          },
        };
      }
    }
  }
  let unlisted = 0;
  for await (const { segment } of expectManifest(stored, index, inMetaOrder())) {
    for (const { expect: logs = [] } of segment.prefixes)
      unlisted += logs.filter(({ etag }) => etag === undefined).length;
  }
  // each of them is "is not in the manifest" in copy-segments.ts: CorruptBackup
  expect(unlisted).toBe(0);
});
