import { beforeEach, describe, expect, test } from "vitest";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { BackupInput } from "../../../../src/core/execution/messages.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { parseFullMeta } from "../../../../src/core/format/meta-files.ts";
import { type PlannedCollection, plannedCollection } from "../../../../src/core/plan/backup.ts";
import { prepareBackup } from "../../../../src/steps/backup/prepare-backup.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { FaultInjector } from "../../../support/fault-injector.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";

const execution = executionOf("nightly-1");
const layout = workLayout("backup", execution.name);
const input: BackupInput = { environment: "prod", backupName: "nightly" };
const names = ["a", "b", "c"] as const;
const nameOf = (collection: string) => ({ database: "default", collection });
const idOf = (collection: string) => `4700000${names.indexOf(collection as "a")}`;

let world: PipelineWorld;

/** Three collections, each with a sealed segment and one that grows; their logs are told, as 2.6 does. */
function begin(version = "2.6.11"): void {
  world = new PipelineWorld({ prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup", milvus: { version } } });
  for (const collection of names) {
    const collectionId = idOf(collection);
    const of = (id: string) => ({ collectionId, partitionId: "1", id, rows: 10n });
    const described = (id: string, state: "Flushed" | "Growing") => {
      world.seedSegment("prod", of(id));
      const fields = ["0", "1", "100", "101"];
      const insertLogs = fields.map((fieldId) => ({ fieldId, logIds: [`1${id}`] }));
      const logs = { segmentId: id, virtualChannel: "v", insertLogs, deltaLogs: [] };
      return { ...of(id), state, isL0: false, storageVersion: "0", logs };
    };
    world.milvus("prod").addCollection(collectionDescription(collection, { id: collectionId }), {
      partitions: [{ id: "1", name: "_default" }],
      segments: [described(`${collectionId}1`, "Flushed")],
      growing: [described(`${collectionId}2`, "Growing")],
    });
  }
}

beforeEach(() => begin());

const calls = (prefix: string) => world.milvus("prod").calls.filter((call) => call.startsWith(prefix));
const flushesAlone = () => calls("flush default.").map((call) => call.replace("flush default.", ""));

function planned(index: number, attempt = 0): PlannedCollection {
  return plannedCollection.parse(JSON.parse(world.work.read(layout.collection(attempt, index)) ?? "null"));
}

const meta = () => parseFullMeta(world.bucket("bucket-b").read("backup/nightly/meta/full_meta.json") ?? "").value;

describe("a backup of everything in Milvus 2.6.11", () => {
  test("flushes the server once: one instant for all, and every segment of each", async () => {
    await runBackup(world.context(), input, execution);

    expect(calls("flushAll")).toHaveLength(1);
    expect(flushesAlone()).toEqual([]);
    const plans = names.map((_, index) => planned(index));
    expect(new Set(plans.map(({ instant }) => instant?.timestamp)).size).toBe(1);
    expect(plans.map(({ segments }) => segments.length)).toEqual([2, 2, 2]);
    // rows from after the instant may be in what the flush sealed alone
    expect(plans[0]?.flushed?.sealedIds).toEqual([`${idOf("a")}2`]);
  });

  test("keeps the messages and channels of the flush in the metas, for another cluster to go on from", async () => {
    await runBackup(world.context(), input, execution);

    const { flush_all_msgs_base64, control_channel_name, physical_channel_names, collection_backups } = meta();
    expect(flush_all_msgs_base64).toEqual({ "by-dev-rootcoord-dml_0": btoa("flush of by-dev-rootcoord-dml_0") });
    expect(control_channel_name).toBe("by-dev-rootcoord-dml_0_vcchan");
    expect(physical_channel_names).toEqual(["by-dev-rootcoord-dml_0"]);
    const instant = BigInt(planned(0).instant?.timestamp ?? "0");
    expect(collection_backups.map(({ backup_timestamp }) => backup_timestamp)).toEqual([instant, instant, instant]);
    const small = world.bucket("bucket-b").read("backup/nightly/meta/backup_meta.json") ?? "";
    expect(small).not.toContain("flush_all");
  });

  test("goes on behind the flush where the step starts again, and takes its messages along to later attempts", async () => {
    const request = { execution, input, attempt: 0 };
    await prepareBackup(request, world.context());
    await prepareBackup(request, world.context());
    expect(calls("flushAll")).toHaveLength(1);

    world.work.seed(layout.torn(0), JSON.stringify({ collectionIds: [idOf("b")] }));
    await prepareBackup({ ...request, attempt: 1 }, world.context());

    expect(calls("flushAll")).toHaveLength(1);
    expect(flushesAlone()).toEqual(["b"]);
    expect(JSON.parse(world.work.read(layout.plan) ?? "{}")).toMatchObject({
      serverFlush: { controlChannel: "by-dev-rootcoord-dml_0_vcchan" },
    });
  });

  test("flushes by itself a collection whose segments were rewritten meanwhile; the others keep the instant", async () => {
    const milvus = world.milvus("prod");
    milvus.holdFlushes(() => {
      // compaction, between the flush and the list
      milvus.setSegments(nameOf("b"), [
        {
          id: "5",
          collectionId: idOf("b"),
          partitionId: "1",
          rows: 20n,
          state: "Flushed",
          isL0: false,
          storageVersion: "0",
          isSorted: true,
          logs: { segmentId: "5", virtualChannel: "v", insertLogs: [], deltaLogs: [] },
        },
      ]);
      return false;
    });
    await prepareBackup({ execution, input, attempt: 0 }, world.context());

    expect(flushesAlone()).toEqual(["b"]);
    expect(planned(1).segments.map(({ id }) => id)).toEqual(["5"]);
    expect(planned(0).instant).toEqual(planned(2).instant);
  });

  test("waits for the flush in another invocation, and not for ever: then each collection is flushed by itself", async () => {
    world.milvus("prod").holdFlushes(() => true);
    const request = { execution, input, attempt: 0 };

    const first = await prepareBackup(request, world.context());
    expect(first.outcome).toBe("planning");
    const second = await prepareBackup(request, world.context());

    expect(second.outcome).toBe("planned");
    expect(calls("flushAll")).toHaveLength(1);
    expect(flushesAlone().toSorted()).toEqual(["a", "b", "c"]);
    expect(JSON.parse(world.work.read(layout.plan) ?? "{}").warnings).toContainEqual(
      expect.stringMatching(/could not be flushed at once \(FlushAll\).* did not flush within 10 minutes/),
    );
  });

  test.each([
    ["who may not", new PipelineError("MilvusUnauthenticated", "PrivilegeFlushAll: permission deny")],
    ["whose call is never answered", new PipelineError("MilvusBusy", "no answer")],
    ["that refuses it", new PipelineError("MilvusFailed", "not now")],
  ])("of one %s flushes each collection, and says so once", async (_, fault) => {
    world.milvus("prod").fail("flushAll", fault);

    const { warnings } = await runBackup(world.context(), input, execution);

    expect(flushesAlone().toSorted()).toEqual(["a", "b", "c"]);
    expect(warnings.filter((warning) => warning.includes("FlushAll"))).toEqual([
      expect.stringContaining(fault.message),
    ]);
    expect(meta().flush_all_msgs_base64).toEqual({});
  });

  test("says that the server was not flushed as a whole where the step goes on in another invocation, too", async () => {
    const milvus = world.milvus("prod");
    milvus.fail("flushAll", new PipelineError("MilvusUnauthenticated", "permission deny"));
    const request = { execution, input, attempt: 0 };
    // the first invocation ends behind the answer
    milvus.fail("describeCollection", new PipelineError("MilvusBusy", "no answer"), { times: 1 });
    await expect(prepareBackup(request, world.context())).rejects.toThrow("no answer");

    await prepareBackup(request, world.context());

    const { warnings } = JSON.parse(world.work.read(layout.plan) ?? "{}");
    expect(warnings).toContainEqual(
      expect.stringMatching(/could not be flushed at once \(FlushAll\).*permission deny/),
    );
    expect(calls("flushAll")).toHaveLength(1);
  });

  test("asks no more whether it is over once it was: collections that have its instant keep company", async () => {
    const milvus = world.milvus("prod");
    const request = { execution, input, attempt: 0 };
    const isOfC = (of: unknown) => JSON.stringify(of) === JSON.stringify(nameOf("c"));
    milvus.fail("describeCollection", new PipelineError("MilvusBusy", "no answer"), { times: 1, when: isOfC });
    await expect(prepareBackup(request, world.context())).rejects.toThrow("no answer");
    milvus.fail("isFlushedAll", new PipelineError("MilvusBusy", "no answer"));

    await prepareBackup(request, world.context());

    expect(flushesAlone()).toEqual([]);
    expect(JSON.parse(world.work.read(layout.plan) ?? "{}").warnings).toEqual([]);
    expect(planned(2).instant).toEqual(planned(0).instant);
  });

  test.each(["before", "after"] as const)("is whole after a fault %s any call about the flush", async (moment) => {
    const probe = new FaultInjector();
    await runBackup(world.context(probe), input, execution);
    const about = probe.calls.flatMap((call, at) => (/lushAll|server-flush|listSegments/i.test(call) ? [at] : []));
    expect(about.length).toBeGreaterThan(6);

    for (const at of about) {
      begin();
      await runBackup(world.context(new FaultInjector(at, moment)), input, execution, { retries: 1 });
      const segments = meta().collection_backups.map(({ partition_backups: [all] }) => all?.segment_backups.length);
      expect(segments).toEqual([2, 2, 2]);
      expect(meta().flush_all_msgs_base64).not.toEqual({});
    }
  });
});

describe("how the flush is chosen", () => {
  test.each<[string, BackupInput, number]>([
    ["some collections leave the others alone", { ...input, collections: ["a"] }, 0],
    ["unless it is asked for", { ...input, collections: ["a"], strategy: "bulk_flush" }, 1],
    ["serial_flush flushes each", { ...input, strategy: "serial_flush" }, 0],
    ["skip_flush flushes nothing", { ...input, strategy: "skip_flush" }, 0],
    ["meta_only flushes nothing", { ...input, strategy: "meta_only" }, 0],
  ])("%s", async (_, asked, times) => {
    await prepareBackup({ execution, input: asked, attempt: 0 }, world.context());

    expect(calls("flushAll")).toHaveLength(times);
    const each = times === 0 && !["skip_flush", "meta_only"].includes(asked.strategy ?? "");
    expect(flushesAlone()).toHaveLength(each ? (asked.collections?.length ?? names.length) : 0);
  });

  test("bulk_flush of a server that has none says so, and flushes each; a refusal ends it", async () => {
    begin("2.5.12");
    const { warnings } = await runBackup(world.context(), { ...input, strategy: "bulk_flush" }, execution);
    expect(warnings).toContainEqual(expect.stringContaining("Milvus 2.5.12 has no FlushAll"));
    expect(flushesAlone().toSorted()).toEqual(["a", "b", "c"]);

    begin();
    const refusal = new PipelineError("MilvusUnauthenticated", "permission deny");
    world.milvus("prod").fail("flushAll", refusal);
    const asked = { execution, input: { ...input, strategy: "bulk_flush" as const }, attempt: 0 };
    await expect(prepareBackup(asked, world.context())).rejects.toThrow("permission deny");
  });
});
