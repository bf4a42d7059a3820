import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { seedGolden } from "../../../support/golden-backup.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";
import { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runRestore } from "../../../support/run-machines.ts";

const input: RestoreInput = {
  environment: "dr",
  backupName: "golden",
  collections: ["all_types"],
  suffix: "_bak",
  load: false,
};

/** A whole restore of a real backup, by the real adapter, into a server that copies the logs and counts their rows. */
describe.each(["v2.4.15", "v2.6.12"])("a restore into Milvus %s", (version) => {
  let fake: FakeMilvus;
  let world: PipelineWorld;
  beforeEach(async () => {
    world = new PipelineWorld();
    const objects = world.bucket("bucket-b");
    seedGolden(objects, "golden");
    fake = await startFakeMilvus({ version, store: { objects, rootPath: "files" } });
  });
  afterEach(async () => {
    closeMilvusConnections();
    await fake.close();
  });

  const restore = (execution = executionOf("first")) => {
    const connected = () => connectMilvus(milvusEnvironment(fake.port));
    return runRestore({ ...world.context(), connectMilvus: connected }, input, execution);
  };
  const called = (call: string) => fake.grpc.requests.filter((request) => request.call === call);
  const asked = (path: string) => fake.rest.requests.filter((request) => request.path.endsWith(path));

  /** Every row of every collection, once. */
  async function expectAllRows(result: Awaited<ReturnType<typeof restore>>): Promise<void> {
    if (result.outcome !== "restored") throw new Error(result.outcome);
    const milvus = await connectMilvus(milvusEnvironment(fake.port));
    expect(result.collections.reduce((total, { rows }) => total + BigInt(rows), 0n)).toBeGreaterThan(0n);
    for (const { to, rows } of result.collections) {
      const [database = "", collection = ""] = to.split(".");
      expect(await milvus.rowCount({ database, collection }), to).toBe(BigInt(rows));
    }
  }

  it("goes over REST, as pairs, one list a turn", async () => {
    await expectAllRows(await restore());

    expect(called("Import")).toEqual([]);
    const pairs = asked("/import/create").map(({ body }) => (body.files as unknown[]).length);
    expect(Math.max(...pairs)).toBeGreaterThan(1);
  });

  it("goes over gRPC where REST is closed, with the same rows", async () => {
    fake.rest.close();

    await expectAllRows(await restore());

    expect(fake.rest.jobs.length).toBeGreaterThan(0);
    expect(called("Import")).toHaveLength(fake.rest.jobs.length);
    for (const { request } of called("Import")) {
      expect(request.files).not.toContain("");
      expect(request.options).toContainEqual({ key: "backup", value: "true" });
    }
  });

  it("asks for nothing twice where the server says 408 and makes the job all the same", async () => {
    fake.rest.takes("/v2/vectordb/jobs/import/create", 400);

    await expectAllRows(await restore());

    const created = asked("/import/create").map(({ body }) => JSON.stringify(body.files));
    expect(new Set(created).size).toBe(created.length);
    expect(fake.rest.jobs).toHaveLength(created.length);
  });
});
