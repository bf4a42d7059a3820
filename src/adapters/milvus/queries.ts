import type { CollectionName, SearchHit } from "../../core/milvus/descriptions.ts";
import type { Milvus, QueriedRow, QueriedValue, VectorSearch } from "../../ports/milvus.ts";
import { aboutCollection } from "./collections.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { encodePlaceholderGroup, type PlainMessage } from "./protocol.ts";

/** `commonpb.ConsistencyLevel`: everything acknowledged is seen. */
const consistency = { consistency_level: 0, use_default_consistency: false } as const;

interface Listed<T> {
  readonly data: readonly T[];
}

/** `schemapb.ScalarField`; one of these is there. */
interface ScalarField {
  readonly bool_data?: Listed<boolean>;
  readonly int_data?: Listed<number>;
  readonly long_data?: Listed<string>;
  readonly float_data?: Listed<number>;
  readonly double_data?: Listed<number>;
  readonly string_data?: Listed<string>;
  readonly json_data?: Listed<Uint8Array>;
  readonly array_data?: Listed<ScalarField>;
}

/** `schemapb.VectorField`; one of these is there beside `dim`. */
interface VectorField {
  readonly dim: string;
  readonly float_vector?: Listed<number>;
  readonly binary_vector?: Uint8Array;
  readonly float16_vector?: Uint8Array;
  readonly bfloat16_vector?: Uint8Array;
  readonly int8_vector?: Uint8Array;
  readonly sparse_float_vector?: { readonly contents: readonly Uint8Array[] };
}

interface FieldData {
  readonly field_name: string;
  readonly is_dynamic: boolean;
  readonly scalars?: ScalarField;
  readonly vectors?: VectorField;
  readonly valid_data: readonly boolean[];
}

interface QueryAnswer {
  readonly fields_data: readonly FieldData[];
}

export async function countRows(client: GrpcClient, name: CollectionName): Promise<bigint> {
  const request = { collection_name: name.collection, expr: "", output_fields: ["count(*)"], ...consistency };
  const { fields_data } = await client.call<QueryAnswer>("Query", request, aboutCollection(name));
  return BigInt(fields_data[0]?.scalars?.long_data?.data[0] ?? "0");
}

export async function queryRows(
  client: GrpcClient,
  name: CollectionName,
  { filter, fields, limit }: Parameters<Milvus["queryRows"]>[1],
): Promise<QueriedRow[]> {
  const request = {
    collection_name: name.collection,
    expr: filter,
    output_fields: [...fields],
    query_params: limit === undefined ? [] : [{ key: "limit", value: String(limit) }],
    ...consistency,
  };
  const { fields_data } = await client.call<QueryAnswer>("Query", request, aboutCollection(name));
  const columns = fields_data.flatMap((field) => {
    const values = valuesOf(field);
    return values === undefined ? [] : [{ name: field.field_name, values }];
  });
  const rows = Math.max(0, ...columns.map(({ values }) => values.length));
  return Array.from(
    { length: rows },
    (_, row) => new Map(columns.map(({ name: column, values }) => [column, values[row] ?? null])),
  );
}

/** undefined for a type that is not known here, or one whose values cannot be told apart (nulls of vectors are left out). */
function valuesOf({ scalars, vectors, valid_data: valid }: FieldData): QueriedValue[] | undefined {
  const values = scalars ? scalarsOf(scalars) : vectors && vectorsOf(vectors);
  if (values === undefined || valid.length === 0) return values;
  if (values.length === valid.length) return values.map((value, row) => (valid[row] ? value : null));
  const there = valid.filter(Boolean).length;
  if (values.length !== there) return undefined;
  let next = 0;
  return valid.map((isThere) => {
    if (!isThere) return null;
    next += 1;
    return values[next - 1] ?? null;
  });
}

function scalarsOf(field: ScalarField): QueriedValue[] | undefined {
  if (field.long_data) return field.long_data.data.map(BigInt);
  if (field.array_data) {
    const arrays = field.array_data.data.map(scalarsOf);
    return arrays.every((elements) => elements !== undefined) ? arrays : undefined;
  }
  const plain =
    field.bool_data ??
    field.int_data ??
    field.float_data ??
    field.double_data ??
    field.string_data ??
    (field.json_data as Listed<Uint8Array> | undefined);
  return plain && [...plain.data];
}

function vectorsOf(field: VectorField): Uint8Array[] | undefined {
  const dim = Number(field.dim);
  if (field.sparse_float_vector) return [...field.sparse_float_vector.contents];
  const { float_vector: floats } = field;
  if (floats) return cut(new Uint8Array(new Float32Array(floats.data).buffer), dim * 4);
  if (field.binary_vector) return cut(field.binary_vector, dim / 8);
  const halves = field.float16_vector ?? field.bfloat16_vector;
  if (halves) return cut(halves, dim * 2);
  return field.int8_vector && cut(field.int8_vector, dim);
}

function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.floor(bytes.length / size) }, (_, row) =>
    bytes.subarray(row * size, (row + 1) * size),
  );
}

/** `commonpb.PlaceholderType` */
const placeholderTypes = { BinaryVector: 100, FloatVector: 101 } as const;

interface SearchAnswer extends PlainMessage {
  readonly results: {
    readonly scores: readonly number[];
    readonly ids: { readonly int_id?: Listed<string>; readonly str_id?: Listed<string> } | null;
    readonly topks: readonly string[];
  } | null;
}

export async function search(
  client: GrpcClient,
  name: CollectionName,
  { field, type, vectors, limit, metricType, params, filter }: VectorSearch,
): Promise<SearchHit[][]> {
  const request = {
    collection_name: name.collection,
    dsl: filter ?? "",
    // `commonpb.DslType.BoolExprV1`
    dsl_type: 1,
    placeholder_group: encodePlaceholderGroup({
      placeholders: [{ tag: "$0", type: placeholderTypes[type], values: vectors }],
    }),
    nq: String(vectors.length),
    search_params: Object.entries({
      anns_field: field,
      topk: String(limit),
      metric_type: metricType,
      params: JSON.stringify(params),
      round_decimal: "-1",
    }).map(([key, value]) => ({ key, value })),
    ...consistency,
  };
  const { results } = await client.call<SearchAnswer>("Search", request, aboutCollection(name));
  const keys = results?.ids?.int_id?.data.map(BigInt) ?? results?.ids?.str_id?.data ?? [];
  let next = 0;
  return vectors.map((_, query) => {
    const count = Number(results?.topks[query] ?? 0);
    const hits = keys.slice(next, next + count).map((key, at) => ({ key, score: results?.scores[next + at] ?? 0 }));
    next += count;
    return hits;
  });
}

/** A load that failed leaves the collection as not loaded; the next question for its progress is answered with why. */
export async function loadProblem(client: GrpcClient, name: CollectionName): Promise<string | undefined> {
  const request = { collection_name: name.collection, partition_names: [] };
  const outcome = await client.attempt("GetLoadingProgress", request, aboutCollection(name));
  return outcome.kind === "refused" ? outcome.status.reason || undefined : undefined;
}
