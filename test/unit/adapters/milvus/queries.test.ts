import { describe, expect, test } from "vitest";
import type { GrpcClient } from "../../../../src/adapters/milvus/grpc-client.ts";
import { rpcMethod } from "../../../../src/adapters/milvus/protocol.ts";
import { countRows, queryRows, search } from "../../../../src/adapters/milvus/queries.ts";

const name = { database: "shop", collection: "carts" };

/** A server that answers one call: requests and answers pass through Milvus's own protocol. */
function answering(answer: Record<string, unknown>) {
  const requests: { readonly call: string; readonly request: Record<string, unknown> }[] = [];
  const client = {
    call: async (call: string, request: Record<string, unknown>) => {
      requests.push({ call, request });
      rpcMethod(call).serialize(request);
      return answer;
    },
  } as unknown as GrpcClient;
  return { client, requests };
}

const scalars = (field_name: string, data: object, valid_data: readonly boolean[] = []) => ({
  ...{ field_name, is_dynamic: false, valid_data },
  scalars: data,
});
const vectors = (field_name: string, data: object) => ({
  ...{ field_name, is_dynamic: false, valid_data: [] },
  vectors: data,
});

describe("rows of a query", () => {
  test("are values as binlogs store them, whatever their type", async () => {
    const json = new TextEncoder().encode('{"a":1}');
    const { client, requests } = answering({
      fields_data: [
        scalars("id", { long_data: { data: ["9007199254740993", "2"] } }),
        scalars("text", { string_data: { data: ["a", "b"] } }),
        scalars("nullable", { int_data: { data: [7, 0] } }, [true, false]),
        scalars("compact", { int_data: { data: [7] } }, [false, true]),
        scalars("tags", { array_data: { data: [{ long_data: { data: ["1"] } }, { long_data: { data: [] } }] } }),
        scalars("$meta", { json_data: { data: [json, json] } }),
        vectors("vec", { dim: "2", float_vector: { data: [1, 2, 3, 4] } }),
        vectors("bits", { dim: "8", binary_vector: new Uint8Array([5, 6]) }),
        vectors("half", { dim: "1", float16_vector: new Uint8Array([1, 2, 3, 4]) }),
        vectors("sparse", { dim: "0", sparse_float_vector: { contents: [new Uint8Array(8), new Uint8Array(0)] } }),
      ],
    });

    const rows = await queryRows(client, name, { filter: "id in [1]", fields: ["id"], limit: 5 });

    expect(rows.map((row) => Object.fromEntries(row))).toEqual([
      {
        ...{ id: 9007199254740993n, text: "a", nullable: 7, compact: null, tags: [1n], $meta: json },
        ...{ vec: new Uint8Array(new Float32Array([1, 2]).buffer), bits: new Uint8Array([5]) },
        ...{ half: new Uint8Array([1, 2]), sparse: new Uint8Array(8) },
      },
      {
        ...{ id: 2n, text: "b", nullable: null, compact: 7, tags: [], $meta: json },
        ...{ vec: new Uint8Array(new Float32Array([3, 4]).buffer), bits: new Uint8Array([6]) },
        ...{ half: new Uint8Array([3, 4]), sparse: new Uint8Array(0) },
      },
    ]);
    expect(requests[0]?.request).toMatchObject({
      expr: "id in [1]",
      consistency_level: 0,
      query_params: [{ value: "5" }],
    });
  });

  test("are none where nothing is found; a count is its only value", async () => {
    expect(
      await queryRows(answering({ fields_data: [] }).client, name, { filter: "id in [1]", fields: ["id"] }),
    ).toEqual([]);
    const counted = answering({ fields_data: [scalars("count(*)", { long_data: { data: ["12"] } })] });
    expect(await countRows(counted.client, name)).toBe(12n);
  });
});

test("hits of a search are told apart by query, and may be none", async () => {
  const { client, requests } = answering({
    results: { scores: [0, 0.5, 0], ids: { int_id: { data: ["1", "2", "9007199254740993"] } }, topks: ["2", "0", "1"] },
  });
  const vector = new Uint8Array(new Float32Array([1, 2]).buffer);

  const hits = await search(client, name, {
    ...{ field: "vec", type: "FloatVector", vectors: [vector, vector, vector], limit: 2, metricType: "L2" },
    params: { ef: 64 },
  });

  expect(hits).toEqual([
    [
      { key: 1n, score: 0 },
      { key: 2n, score: 0.5 },
    ],
    [],
    [{ key: 9007199254740993n, score: 0 }],
  ]);
  expect(requests[0]?.request).toMatchObject({ nq: "3", dsl: "" });
});
