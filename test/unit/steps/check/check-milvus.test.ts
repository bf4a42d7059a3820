import { expect, test } from "vitest";
import { checkMilvus } from "../../../../src/steps/check/check-milvus.ts";
import { MemoryMilvus } from "../../../support/memory-milvus.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

test.each([
  [{}, true],
  [{ restPort: 8080 }, false],
  [{ restAddress: "rest.internal" }, false],
])("a REST interface that does not answer where %o says is wrong only where somebody said so", async (given, ok) => {
  const milvus = new MemoryMilvus({ version: "2.6.8", restClosed: true });

  const results = await checkMilvus(milvusEnvironment(19530, { milvus: given }), (use) => use(milvus));

  expect(results.find(({ check }) => check === "milvus rest")).toMatchObject({
    ok,
    detail: expect.stringMatching(/imports go over gRPC.*milvus\.restAddress and milvus\.restPort/),
  });
});
