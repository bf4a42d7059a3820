import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

describe("connectMilvus", () => {
  let fake: FakeMilvus;
  beforeEach(async () => {
    fake = await startFakeMilvus({ version: "v2.5.8", user: "root", password: "s3cret pass" });
  });
  afterEach(async () => {
    closeMilvusConnections();
    await fake.close();
  });

  it("asks for the version with the environment's credentials", async () => {
    const environment = milvusEnvironment(fake.grpc.port, { milvus: { user: "root", password: "s3cret pass" } });

    const milvus = await connectMilvus(environment);

    expect(await milvus.version()).toBe("v2.5.8");
    expect(milvus.address).toBe(`127.0.0.1:${fake.grpc.port}`);
  });

  it("says which user is rejected, and never the password", async () => {
    const environment = milvusEnvironment(fake.grpc.port, { milvus: { user: "root", password: "wr0ng" } });

    const problem = await connectMilvus(environment).catch((error: Error) => error);

    expect(problem).toMatchObject({ name: "MilvusUnauthenticated" });
    expect(String(problem)).toMatch(/"root".*milvus\.user and milvus\.password of environment test/);
    expect(JSON.stringify([problem, String(problem)])).not.toContain("wr0ng");
  });

  it("says that nobody was named where milvus.user is empty", async () => {
    const environment = milvusEnvironment(fake.grpc.port);

    await expect(connectMilvus(environment)).rejects.toThrow(/anonymous user \(milvus\.user is empty\)/);
  });

  it("names the address where nothing listens", async () => {
    const { port } = fake.grpc;
    await fake.grpc.close();

    await expect(connectMilvus(milvusEnvironment(port))).rejects.toMatchObject({
      name: "MilvusUnreachable",
      message: expect.stringContaining(`127.0.0.1:${port} cannot be reached: connect ECONNREFUSED`),
    });
  });

  it("says that what answers is no Milvus", async () => {
    await expect(
      connectMilvus(milvusEnvironment(fake.management.port), { connectTimeoutMs: 500 }),
    ).rejects.toMatchObject({
      name: "MilvusUnreachable",
    });
  });

  it("recovers once the credentials are right: a failed connection is not kept", async () => {
    const wrong = milvusEnvironment(fake.grpc.port, { milvus: { user: "root", password: "wr0ng" } });
    const right = milvusEnvironment(fake.grpc.port, { milvus: { user: "root", password: "s3cret pass" } });
    await connectMilvus(wrong).catch(() => undefined);

    expect(await (await connectMilvus(right)).version()).toBe("v2.5.8");
  });
});
