import { describe, expect, test } from "vitest";
import type { Machine } from "../../../../src/core/execution/machines.ts";
import { workLayout } from "../../../../src/core/execution/work-layout.ts";
import { runMachine } from "../../../support/asl-machine.ts";
import type { MemoryObjectStore } from "../../../support/memory-object-store.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { seedRows } from "../../../support/row-backup.ts";
import { Aborted, type AslExecution, type Standing } from "../../../support/run-asl.ts";
import { executionOf, runBackup } from "../../../support/run-machines.ts";
import { seedShop } from "../../../support/seed-shop.ts";

const books = { database: "default", collection: "books_bak" };

/** A machine, what is there before it runs, what it is started with, and what it brings. */
interface Subject {
  readonly machine: Machine;
  readonly input: object;
  prepare(world: PipelineWorld): Promise<void>;
  /** What must be the same however it came about. */
  brought(world: PipelineWorld): Promise<unknown>;
}

const environments = {
  prod: { milvusAt: "bucket-a/files", backupAt: "bucket-b/backup" },
  dr: { milvusAt: "bucket-b/files", backupAt: "bucket-b/backup" },
  copies: { milvusAt: "bucket-c/files", backupAt: "bucket-c/copies" },
} as const;

const backUp = async (world: PipelineWorld) => {
  await runBackup(world.context(), { environment: "prod", backupName: "nightly" });
};
/** Every object and its content, but for what says who worked and when. */
const contents = (bucket: MemoryObjectStore, prefix: string) =>
  bucket
    .keys(prefix)
    .filter((key) => !/milvus-backup-(claim|verified|manifest)\.json$|full_meta|\/meta\//.test(key))
    .map((key) => [key, bucket.read(key)]);

/** What all buckets hold, but for who works or worked where, and what was found out. */
const everything = (world: PipelineWorld) =>
  ["bucket-a", "bucket-b", "bucket-c"].flatMap((name) =>
    world
      .bucket(name)
      .keys()
      .filter((key) => !/milvus-backup-(claim|verified)\.json$|^milvus-backup-staging\/targets\//.test(key))
      .map((key) => [name, key, world.bucket(name).read(key)]),
  );

const subjects: readonly Subject[] = [
  {
    machine: "backup",
    input: { environment: "prod", backupName: "nightly" },
    prepare: async () => {},
    brought: async (world) => {
      const bucket = world.bucket("bucket-b");
      const complete = bucket.keys("backup/nightly/").filter((key) => key.endsWith("/full_meta.json"));
      return [complete, contents(bucket, "backup/nightly/")];
    },
  },
  {
    machine: "transfer",
    input: { backupName: "nightly", from: "prod", to: "copies" },
    prepare: backUp,
    brought: async (world) => {
      const bucket = world.bucket("bucket-c");
      const complete = bucket.keys("copies/nightly/").filter((key) => key.endsWith("/full_meta.json"));
      return [complete, contents(bucket, "copies/nightly/")];
    },
  },
  {
    machine: "verify",
    input: { environment: "prod", backupName: "nightly", readData: 100 },
    prepare: backUp,
    brought: async (world) => {
      const bucket = world.bucket("bucket-b");
      const proof = JSON.parse(bucket.read("backup/nightly/milvus-backup-verified.json") ?? "{}");
      return [proof.lastGood?.depth ?? proof.last?.depth, contents(bucket, "backup/nightly/")];
    },
  },
  {
    machine: "export",
    input: { environment: "prod", backupName: "rows", destination: "s3://bucket-c/out", format: "jsonl" },
    prepare: async (world) => {
      const segments = Array.from({ length: 20 }, (_, at) => ({ id: at + 1, batches: [[{ id: at, at: 10 }]] }));
      seedRows(world.bucket("bucket-b"), "rows", { segments, until: 100 });
    },
    brought: async (world) => {
      const bucket = world.bucket("bucket-c");
      const files = bucket.keys("out/");
      return [files, files.filter((key) => key.endsWith(".jsonl")).map((key) => bucket.read(key))];
    },
  },
  {
    machine: "restore",
    input: { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak" },
    prepare: backUp,
    brought: async (world) => {
      const milvus = world.milvus("dr");
      const { name, schema } = await milvus.describeCollection(books);
      return [
        name,
        schema,
        await milvus.rowCount(books),
        world
          .bucket("bucket-b")
          .keys("milvus-backup-staging/")
          .filter((key) => !key.includes("/targets/")),
      ];
    },
  },
];

async function worldFor({ prepare }: Subject): Promise<PipelineWorld> {
  const world = new PipelineWorld(environments);
  seedShop(world);
  await prepare(world);
  return world;
}

interface Run {
  readonly execution?: string;
  /** The call of a step (from 1 on) at which it is aborted, before or after it. */
  readonly abortAt?: { readonly call: number; readonly when: "before" | "after" };
  readonly redriven?: Standing | undefined;
}

/** Runs it as an execution that others can ask about; counts the steps. */
async function run(
  world: PipelineWorld,
  { machine, input }: Subject,
  { execution: name = "first", abortAt, redriven }: Run,
) {
  const execution = executionOf(name);
  const { running } = world.memory;
  running.add(execution.id);
  let calls = 0;
  const ended: AslExecution = await runMachine({
    ...{ machine, input, execution, context: world.context(), redriven },
    step: async (_, go) => {
      calls += 1;
      if (calls === abortAt?.call && abortAt.when === "before") throw new Aborted();
      const answer = await go();
      if (calls === abortAt?.call) throw new Aborted();
      return answer;
    },
  });
  running.delete(execution.id);
  return { ...ended, calls };
}

describe.each(subjects)("a redriven execution of $machine", (subject) => {
  test.each(["before", "after"] as const)(
    "that was aborted %s any of its steps goes on and brings the same",
    async (when) => {
      const whole = await worldFor(subject);
      const { calls, status } = await run(whole, subject, {});
      expect(status).toBe("succeeded");
      const expected = await subject.brought(whole);

      for (let call = 1; call <= calls; call += 1) {
        const world = await worldFor(subject);
        const aborted = await run(world, subject, { abortAt: { call, when } });
        expect(aborted.status).toBe("aborted");

        const redriven = await run(world, subject, { redriven: aborted.standing });

        expect({ call, status: redriven.status, cause: redriven.cause }).toMatchObject({ call, status: "succeeded" });
        expect(await subject.brought(world)).toEqual(expected);
      }
    },
  );

  test("in whose place another one did the work changes nothing of that", async () => {
    const { calls } = await run(await worldFor(subject), subject, {});

    for (let call = 1; call <= calls; call += 1) {
      const world = await worldFor(subject);
      const aborted = await run(world, subject, { abortAt: { call, when: "before" } });
      await run(world, subject, { execution: "second" });
      const before = [await subject.brought(world), everything(world)];

      const { status, error } = await run(world, subject, { redriven: aborted.standing });

      expect([await subject.brought(world), everything(world)], `aborted before call ${call}`).toEqual(before);
      // a transfer or a verification of what is right already is none the worse for it
      if (status === "failed") expect(error).toMatch(/^(ClaimLost|BackupExists|TargetExists|ObjectNotFound)$/);
    }
  });

  test("that was stopped by hand before its copies were done fails, and nothing counts as complete", async () => {
    const world = await worldFor(subject);
    const aborted = await run(world, subject, { abortAt: { call: 2, when: "before" } });
    // what the verb stop leaves
    world.work.seed(workLayout(subject.machine, "first").cancel, "stopped by hand\n");
    const before = everything(world);

    const redriven = await run(world, subject, { redriven: aborted.standing });

    expect({ status: redriven.status, error: redriven.error }).toMatchObject({
      status: "failed",
      error: expect.stringMatching(/./),
    });
    expect(everything(world)).toEqual(before);
  });

  test("that failed enters its last state again: the same error, and no step is run", async () => {
    const world = await worldFor(subject);
    const failing = await runMachine({
      ...{ machine: subject.machine, input: subject.input, execution: executionOf("first"), context: world.context() },
      step: async (name, go) => {
        if (name.startsWith("Finalize") || name.startsWith("Finish"))
          throw Object.assign(new Error("broken"), { name: "StoreFailed" });
        return go();
      },
    });
    expect(failing.status).toBe("failed");

    const redriven = await run(world, subject, { redriven: failing.standing });

    expect(redriven).toMatchObject({ status: "failed", error: failing.error, cause: failing.cause, calls: 0 });
  });
});
