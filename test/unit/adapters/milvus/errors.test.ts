import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  busyError,
  failedError,
  type MilvusStatus,
  mayHaveBegun,
  missingCallError,
  statusError,
  unauthenticatedError,
} from "../../../../src/adapters/milvus/errors.ts";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { Milvus } from "../../../../src/ports/milvus.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

const endpoint = { address: "milvus.test:19530", user: "root", environment: "prod" };

describe("what Milvus's statuses become", () => {
  it.each([
    // Milvus 2.3 and later: code
    [{ code: 1, error_code: 55, reason: "service not ready" }, "MilvusBusy"],
    [{ code: 8, error_code: 49, reason: "rate limit exceeded[rate=0.1]" }, "MilvusBusy"],
    [{ code: 100, error_code: 4, reason: "collection not found" }, "CollectionNotFound"],
    [{ code: 600, error_code: 1, reason: "segment not found" }, "MilvusBusy"],
    ...[11, 12, 103, 106, 202, 1002, 1003, 10000, 10001].map((code): [MilvusStatus, string] => [
      { code, error_code: 1, reason: "merr" },
      "MilvusBusy",
    ]),
    [{ code: 901, error_code: 1, reason: "node not found", retriable: true }, "MilvusBusy"],
    [{ code: 901, error_code: 1, reason: "node not found", retriable: false }, "MilvusFailed"],
    [{ code: 1601, error_code: 1, reason: "alias and collection name conflict" }, "MilvusFailed"],
    [{ code: 65535, error_code: 1, reason: "database already exist: shop" }, "MilvusFailed"],
    // Milvus 2.2: error_code alone
    [{ code: 0, error_code: 4, reason: "gone" }, "CollectionNotFound"],
    [{ code: 0, error_code: 49, reason: "slow down" }, "MilvusBusy"],
    [{ code: 0, error_code: 57, reason: "coordinator is activating" }, "MilvusBusy"],
    [{ code: 0, error_code: 1, reason: "whatever" }, "MilvusFailed"],
    // the truth in words only
    [{ code: 65535, error_code: 1, reason: "can't find collection: coll" }, "CollectionNotFound"],
    [
      { code: 65535, error_code: 1, reason: "request is rejected by grpc RateLimiter: rate limit exceeded" },
      "MilvusBusy",
    ],
  ])("%j is %s", (milvusStatus, name) => {
    expect(statusError(endpoint, "Flush", milvusStatus, { subject: "default.coll" }).name).toBe(name);
  });

  it("names the collection that does not exist, whatever part of it the call was about", () => {
    const about = { subject: "default.coll", part: "index i on vec" };

    const error = statusError(endpoint, "CreateIndex", { code: 100, error_code: 4, reason: "?" }, about);

    expect(error.message).toBe("collection default.coll does not exist in Milvus at milvus.test:19530");
  });
});

describe("whether a call that makes something may have begun", () => {
  it.each([
    ["no answer in time", busyError(endpoint, "Import", "no answer within 300 s", "outage"), true],
    [
      "a connection that was never there",
      busyError(endpoint, "Import", "connect ECONNREFUSED 1.2.3.4:1", "outage"),
      false,
    ],
    ["an answer of no known shape", failedError(endpoint, "Import", "an answer of another shape"), true],
    ["a limited rate", busyError(endpoint, "Import", "HTTP 429", "rate"), false],
    ["a call that is not there", missingCallError(endpoint, "Import"), false],
    ["a refused user", unauthenticatedError(endpoint, "no"), false],
    ["a refusal", statusError(endpoint, "Import", { code: 2100, error_code: 1, reason: "no binlog" }), false],
    ["a server that starts", statusError(endpoint, "Import", { code: 1, error_code: 1, reason: "not ready" }), false],
    ["a part that waits no longer", statusError(endpoint, "Import", { code: 10001, error_code: 1, reason: "?" }), true],
    // merr has no code for gRPC's own faults: the proxy says in words that data coord went away in the middle of the call
    [
      "a part whose connection broke",
      statusError(endpoint, "Import", {
        code: 65535,
        error_code: 1,
        reason: "rpc error: code = Unavailable desc = error reading from server: EOF",
      }),
      true,
    ],
    [
      "a part that did not answer the proxy in time (2.3)",
      statusError(endpoint, "Import", {
        code: 0,
        error_code: 1,
        reason: "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
      }),
      true,
    ],
    [
      "the same over REST",
      statusError(endpoint, "/v2/vectordb/jobs/import/create", {
        code: 65535,
        error_code: 0,
        reason: "rpc error: code = Unavailable desc = transport is closing",
      }),
      true,
    ],
    ["something of our own", new PipelineError("InvalidInput", "two pairs"), false],
  ])("%s", (_, error, expected) => {
    expect(mayHaveBegun(error)).toBe(expected);
  });
});

describe("what gRPC's statuses become", () => {
  let fake: FakeMilvus;
  let milvus: Milvus;
  beforeEach(async () => {
    fake = await startFakeMilvus({ version: "v2.5.8" });
    milvus = await connectMilvus(milvusEnvironment(fake.grpc.port));
  });
  afterEach(async () => {
    closeMilvusConnections();
    await fake.close();
  });

  it("a call the server does not have fails by name, where nothing else will do", async () => {
    fake.grpc.without("ShowPartitions");

    await expect(milvus.listPartitions({ database: "default", collection: "coll" })).rejects.toMatchObject({
      name: "MilvusFailed",
      message: expect.stringContaining("refused ShowPartitions"),
    });
  });

  it("a server without databases has the default one", async () => {
    fake.grpc.without("ListDatabases");

    expect(await milvus.listDatabases()).toEqual(["default"]);
  });

  it("a connection that breaks after it worked is a passing fault", async () => {
    await fake.grpc.close();

    const problem = await milvus.listCollections("default").catch((error: unknown) => error);

    expect(problem).toBeInstanceOf(PipelineError);
    expect(problem).toMatchObject({ name: "MilvusBusy", kind: "transient", cause: { code: status.UNAVAILABLE } });
  });
});
