import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parquetPayloads } from "../../../../src/adapters/parquet/payload-reader.ts";
import { readBinlog } from "../../../../src/core/binlog/frame.ts";
import type { CopyBatch } from "../../../../src/core/execution/copy-plan.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import type { ImportFiles } from "../../../../src/core/milvus/descriptions.ts";
import { hybridTimestamp, physicalMilliseconds } from "../../../../src/core/milvus/instant.ts";
import { isAtLeast } from "../../../../src/core/milvus/version.ts";
import type { RestorePlan } from "../../../../src/core/plan/planned-restore.ts";
import { estimateRestore } from "../../../../src/steps/restore/estimate-restore.ts";
import { lookAtDeletes } from "../../../../src/steps/restore/look-at-deletes.ts";
import { prepareRestore } from "../../../../src/steps/restore/prepare-restore.ts";
import { findBackup } from "../../../../src/steps/shared/find-backup.ts";
import { signBackup } from "../../../../src/steps/shared/signatures.ts";
import type { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { MemorySigningKeys } from "../../../support/memory-signing-keys.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { deltaLog, type SeededSegment, sealRows, seedRows, tick } from "../../../support/row-backup.ts";
import { executionOf, runRestore } from "../../../support/run-machines.ts";

/** Some servers take the end of an import in milliseconds. */
const at = (milliseconds: number) => milliseconds * 2 ** 18;
const until = at(10);
const layout = workLayout("restore", "restore-1");

/** Stages a backup, and answers what a server of a version makes of it: keys and when each was written, in milliseconds. */
async function imported(version: string, segments: readonly SeededSegment[], rootPath = "bucket-b/files") {
  const world = new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
    dr: { milvusAt: rootPath, backupAt: "bucket-b/backup", milvus: { version } },
  });
  seedRows(world.bucket("bucket-b"), "nightly", { segments, until });
  let rows: string[] | undefined;
  const restored = runRestore(world.context(), { environment: "dr", backupName: "nightly" }, executionOf("restore-1"), {
    after: (step) => {
      if (step !== "copy") return;
      const plan: RestorePlan = JSON.parse(world.work.read(layout.plan) ?? "null");
      const imports = plan.collections.flatMap((collection) => collection.imports);
      rows = new Server(world.bucket(rootPath.split("/")[0] ?? ""), version).rowsOf(
        imports.map(({ task, kind, partition }) => {
          return { kind, partition, files: JSON.parse(world.work.read(layout.importFiles(task)) ?? "[]") };
        }),
      );
    },
  });
  // the server in memory knows nothing of these rows
  await restored.catch(() => undefined);
  return rows;
}

/** What Milvus makes of directories of binlogs: `importutilv2/binlog`, reader.go and l0_reader.go. */
class Server {
  readonly #store: MemoryObjectStore;
  readonly #version: string;

  constructor(store: MemoryObjectStore, version: string) {
    this.#store = store;
    this.#version = version;
  }

  rowsOf(imports: readonly Asked[]): string[] {
    const ofKind = (wanted: string) => imports.filter(({ kind }) => kind === wanted);
    const levelZero = ofKind("l0").flatMap(({ partition, files }) =>
      files.flatMap(({ delta }) => this.#deletesBelow(delta).map((one) => ({ ...one, partition }))),
    );
    // since 2.6.1 the end counts here too; from 3.0 on rows are as new as their import
    const isSeen = (time: bigint) => !isAtLeast(this.#version, "2.6.1") || time <= this.#end;
    const seen = isAtLeast(this.#version, "3.0.0") ? [] : levelZero.filter(({ time }) => isSeen(time));
    return ofKind("segments")
      .flatMap(({ partition, files }) => {
        const rows = files.flatMap(({ insert, delta }) =>
          this.#segmentsBelow(insert).flatMap((id) => this.#read(id, insert, delta)),
        );
        return living(
          rows,
          seen.filter((one) => one.partition === "" || one.partition === partition),
        );
      })
      .map(({ key, time }) => `${key} of ${(time - tick(0)) >> 18n}`)
      .sort();
  }

  get #end(): bigint {
    const hybrid = isAtLeast(this.#version, "2.5.6");
    return hybrid ? tick(until) : BigInt(hybridTimestamp(physicalMilliseconds(tick(until).toString())));
  }

  #segmentsBelow(insert: string): string[] {
    return [...new Set(this.#store.keys(insert).map((key) => key.slice(insert.length).split("/")[0] ?? ""))];
  }

  #read(id: string, insert: string, delta: string): Timed[] {
    const column = (field: number) => this.#store.keys(`${insert}${id}/${field}/`).flatMap((key) => this.#column(key));
    const times = column(1);
    const rows = column(100).map((key, row) => ({ key: String(key), time: BigInt(String(times[row])) }));
    const deletes = delta === "" ? [] : this.#deletesBelow(`${delta}${id}/`);
    const isSeen = ({ time }: Timed) => time <= this.#end;
    return living(rows.filter(isSeen), deletes.filter(isSeen));
  }

  /** However deep. */
  #deletesBelow(directory: string): Timed[] {
    return this.#store.keys(directory).flatMap((key) =>
      this.#column(key).map((line) => {
        const [, pk = "", ts = ""] = /"pk":(\d+),"ts":(\d+)/.exec(String(line)) ?? expect.fail();
        return { key: pk, time: BigInt(ts) };
      }),
    );
  }

  #column(key: string): unknown[] {
    const bytes = this.#store.bytes(key) ?? expect.fail(`${key} is not there`);
    return readBinlog(bytes, key).events.flatMap(({ payload }) => {
      const { columns } = parquetPayloads.read(payload, { offset: 0, rows: 1_000 });
      return Array.from({ length: columns[0]?.length ?? 0 }, (_, row) => columns[0]?.at(row));
    });
  }
}

interface Asked {
  readonly kind: string;
  readonly partition: string;
  readonly files: readonly ImportFiles[];
}

interface Timed {
  readonly key: string;
  readonly time: bigint;
}

function living(rows: readonly Timed[], deletes: readonly Timed[]): Timed[] {
  return rows.filter((row) => !deletes.some(({ key, time }) => key === row.key && time > row.time));
}

const written = (id: number, ids: readonly number[], time = 1): SeededSegment => ({
  id,
  batches: [ids.map((key) => ({ id: key, at: at(time) }))],
});

/** Milvus cuts imports of L0 segments from 2.6.1 on only: before, every delete in one counts. From 3.0 on none does. */
describe.each(["2.4.15", "2.5.12", "2.5.27", "2.6.0", "2.6.4", "3.0.0"])(
  "deletes in L0 segments, into Milvus %s",
  (version) => {
    test.each(["bucket-b/files", "bucket-c/files"])(
      "from behind the instant take no row, those from before it do (into %s)",
      async (milvusAt) => {
        // key 2 was written again behind the instant: what takes its row is in the backup, what replaced it is not
        const segments: SeededSegment[] = [
          { ...written(1, [1, 2, 3, 4]), deletes: [[4, at(2)]] },
          written(2, [5, 6]),
          { id: 11, isL0: true, deletes: [[1, at(5)]] },
          {
            id: 12,
            isL0: true,
            deletes: [
              [5, at(6)],
              [2, at(12)],
            ],
          },
          {
            id: 13,
            isL0: "all",
            deletes: [
              [3, at(12)],
              [6, at(13)],
            ],
          },
        ];

        expect(await imported(version, segments, milvusAt)).toEqual(["2 of 1", "3 of 1", "6 of 1"]);
      },
    );

    test("that concern one partition are kept from the rows of others", async () => {
      const segments: SeededSegment[] = [
        written(1, [1]),
        { ...written(2, [1, 2], 2), partition: "p1" },
        {
          id: 11,
          isL0: true,
          deletes: [
            [1, at(5)],
            [1, at(12)],
          ],
        },
        { id: 12, isL0: true, partition: "p1", deletes: [[2, at(12)]] },
      ];

      expect(await imported(version, segments)).toEqual(["1 of 2", "2 of 2"]);
    });
  },
);

function worldOf(version: string): PipelineWorld {
  return new PipelineWorld({
    prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
    dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup", milvus: { version } },
  });
}

/** The plan of a restore, and the copies that it makes before. */
async function planned(version: string, segments: readonly SeededSegment[], instant = until) {
  const world = worldOf(version);
  seedRows(world.bucket("bucket-b"), "nightly", { segments, until: instant });
  const execution = executionOf("restore-1");
  await prepareRestore(
    { execution, input: { environment: "dr", backupName: "nightly" }, attempt: 0 },
    { ...world.context(), payloads: async () => parquetPayloads },
  );
  const plan: RestorePlan = JSON.parse(world.work.read(layout.plan) ?? "null");
  const batches = world.work
    .keys(layout.batch("").replace(/\.json$/, ""))
    .map((key): CopyBatch => JSON.parse(world.work.read(key) ?? "null"));
  return { imports: plan.collections.flatMap(({ imports }) => imports), batches };
}

test("a delete of the instant's own millisecond counts for what an import may lack", async () => {
  const inMillisecond = at(10) + 5;
  const { imports } = await planned(
    "2.5.12",
    [
      written(1, [1, 2, 3]),
      {
        id: 11,
        isL0: true,
        deletes: [
          [1, at(10) + 3],
          [2, at(12)],
        ],
      },
    ],
    inMillisecond,
  );

  // from 2.5.6 on the end is hybrid, and that delete takes its row
  expect(imports.map(({ rows }) => rows)).toEqual(["3"]);
  expect(Number(imports[0]?.minimumRows)).toBeLessThanOrEqual(2);
});

test("an import may lack the rows of a key that was inserted again and again", async () => {
  const { imports } = await planned("2.5.12", [
    written(1, [1, 1, 1, 2, 3, 4, 5]),
    {
      id: 11,
      isL0: true,
      deletes: [
        [1, at(5)],
        [9, at(12)],
      ],
    },
  ]);

  expect(Number(imports[0]?.minimumRows)).toBeLessThanOrEqual(4);
  expect(Number(imports[0]?.minimumRows)).toBeGreaterThan(0);
});

test("however many segments they delete from, no function gets more of their copies than it can make", async () => {
  const rows = Array.from({ length: 1_100 }, (_, index) => written(100 + index, [index]));
  const levelZero = [11, 12].map((id): SeededSegment => ({ id, isL0: "all", deletes: [[1, at(12)]] }));

  const { batches } = await planned("2.5.12", [...rows, ...levelZero]);

  const copies = batches.flatMap(({ segments }) => segments).filter(({ isL0 }) => isL0);
  const destinations = copies.flatMap(({ prefixes }) => prefixes.map(({ to }) => to));
  expect(new Set(destinations).size).toBe(2 * 1_100);
  expect(destinations).toHaveLength(2 * 1_100);
  for (const { prefixes } of copies) expect(prefixes.length).toBeLessThanOrEqual(50);
});

test.each([
  ["2.5.12", "in-place", [expect.stringContaining("deletes in L0 segments are read only when the restore begins")]],
  ["2.6.4", "in-place", []],
  ["3.0.0", "server-side", []],
])("an estimate into %s knows what is staged for them, or says that it does not", async (version, copies, warnings) => {
  const world = worldOf(version);
  const segments: SeededSegment[] = [written(1, [1, 2]), { id: 11, isL0: true, deletes: [[2, at(12)]] }];
  seedRows(world.bucket("bucket-b"), "nightly", { segments, until });
  const environment = world.environment("dr");
  const stored = await findBackup(world.bucket("bucket-b"), environment.backupStorage, "nightly");
  const input = { environment: "dr", backupName: "nightly" };

  const estimate = await estimateRestore(stored, { environment, from: environment }, input, world.milvus("dr"));

  expect(estimate).toMatchObject({ copies, warnings });
});

test("more of them than a function can read is taken for one of later, the same in every run", async () => {
  const store = worldOf("2.5.12").bucket("bucket-b");
  const ids = [11, 12, 13, 14, 15, 16];
  const early = ids.map((id): SeededSegment => ({ id, isL0: true, deletes: [[id, at(2)]] }));
  seedRows(store, "nightly", { segments: [written(1, ids), ...early], until });
  const stored = await findBackup(store, { rootPath: "backup" }, "nightly");
  const { backup } = await (await stored.streamMetas()).outline();
  const instants = await stored.readInstants(backup.id);
  const bytes = store.bytes(store.keys("backup/nightly/binlogs/delta_log/")[0] ?? "")?.length ?? expect.fail();
  const look = (most: { ofSegment: number; bytes: number }) => {
    const cutOf = (id: string) => instants.get(id);
    const options = { all: false, payloads: async () => parquetPayloads, most };
    return lookAtDeletes(stored, backup.collection_backups, cutOf, options);
  };

  expect([...(await look({ ofSegment: bytes, bytes: 6 * bytes })).keys()]).toEqual([]);
  store.calls.length = 0;
  expect([...(await look({ ofSegment: bytes, bytes: 4 * bytes })).keys()]).toEqual(["15", "16"]);
  expect(store.calls.filter((call) => call.startsWith("getBytes"))).toHaveLength(4);
  expect([...(await look({ ofSegment: bytes - 1, bytes: 6 * bytes })).keys()]).toEqual(ids.map(String));
});

test("what the logs of a signed backup hold is not believed before they are compared with what was signed", async () => {
  const world = worldOf("2.5.12");
  const store = world.bucket("bucket-b");
  const segments: SeededSegment[] = [written(1, [1, 2]), { id: 11, isL0: true, deletes: [[2, at(12)]] }];
  seedRows(store, "nightly", { segments, until });
  await sealRows(store, "nightly", until);
  const [keyArn, keys] = ["arn:aws:kms:eu-central-1:111111111111:key/ours", new MemorySigningKeys()];
  keys.add(keyArn);
  const { backupStorage } = world.environment("dr");
  const stored = await findBackup(store, backupStorage, "nightly");
  const manifest = createHash("sha256")
    .update(store.read(stored.layout.manifest) ?? "")
    .digest("hex");
  await signBackup(stored, backupStorage, { backupId: "id of nightly", manifest }, { keyArn, keys });
  // while it is looked at; when it is copied it is what it was
  const [log = ""] = store.keys("backup/nightly/binlogs/delta_log/");
  store.seed(log, deltaLog([[9, at(1)]]));

  await prepareRestore(
    {
      execution: executionOf("restore-1"),
      input: { environment: "dr", backupName: "nightly", signedBy: keyArn },
      attempt: 0,
    },
    { ...world.context(), payloads: async () => parquetPayloads, signingKeys: async () => keys },
  );

  const plan: RestorePlan = JSON.parse(world.work.read(layout.plan) ?? "null");
  expect(plan.collections.flatMap(({ imports }) => imports.map(({ kind }) => kind))).toEqual(["segments"]);
});
