import { DataType, type MilvusClient } from "@zilliz/milvus2-sdk-node";
import { load, must, type Name, named } from "./milvus.ts";
import { deleteRows, insertSegment, vectorOf } from "./seeds.ts";

/** Collections that together hold every data type and feature that Milvus 2.3 knows. A collection has one vector field there. */

const elements = [
  { name: "bools", element_type: DataType.Bool },
  { name: "i8s", element_type: DataType.Int8 },
  { name: "i16s", element_type: DataType.Int16 },
  { name: "i32s", element_type: DataType.Int32 },
  { name: "i64s", element_type: DataType.Int64 },
  { name: "floats", element_type: DataType.Float },
  { name: "doubles", element_type: DataType.Double },
  { name: "texts", element_type: DataType.VarChar, max_length: 32 },
] as const;

/** All scalars, arrays of every element type, JSON, dynamic fields, named partitions, deletes and an upsert, two shards. */
export async function seedEveryType(client: MilvusClient, name: Name): Promise<void> {
  await must(
    client.createCollection({
      ...named(name),
      description: "every type of 2.3, é漢字",
      shards_num: 2,
      consistency_level: "Session",
      enable_dynamic_field: true,
      fields: [
        { name: "id", description: "the key", data_type: DataType.Int64, is_primary_key: true },
        { name: "flag", data_type: DataType.Bool },
        { name: "i8", data_type: DataType.Int8 },
        { name: "i16", data_type: DataType.Int16 },
        { name: "i32", data_type: DataType.Int32 },
        { name: "i64", data_type: DataType.Int64 },
        { name: "f", data_type: DataType.Float },
        { name: "d", data_type: DataType.Double },
        { name: "title", data_type: DataType.VarChar, max_length: 256, description: "text" },
        { name: "meta", data_type: DataType.JSON },
        ...elements.map((element) => ({ ...element, data_type: DataType.Array, max_capacity: 8 })),
        { name: "vec", data_type: DataType.FloatVector, dim: 16 },
      ],
    }),
  );
  for (const partition of ["p1", "p2", "never_used"]) {
    await must(client.createPartition({ ...named(name), partition_name: partition }));
  }
  const rows = (from: number, count: number) => Array.from({ length: count }, (_, row) => everyTypeRow(from + row));
  await insertSegment(client, name, rows(0, 60));
  await insertSegment(client, name, rows(1_000, 40), "p1");
  await insertSegment(client, name, rows(2_000, 30), "p2");
  await must(
    client.upsert({
      ...named(name),
      data: [{ ...everyTypeRow(7), title: "upserted", vec: vectorOf(70_000, 16) }] as never[],
    }),
  );
  await deleteRows(client, name, "id in [1, 2, 1003, 2029]");

  const indexes = [
    { field_name: "vec", index_name: "vec_ivf", index_type: "IVF_FLAT", metric_type: "IP", params: { nlist: 16 } },
    { field_name: "title", index_name: "by_title", index_type: "Trie" },
    { field_name: "i64", index_name: "by_i64", index_type: "STL_SORT" },
  ];
  for (const index of indexes) await must(client.createIndex({ ...named(name), ...index }));
  await must(client.alterCollection({ ...named(name), properties: { "collection.ttl.seconds": 31_536_000 } }));
  await must(client.createAlias({ ...named(name), alias: `${name.collection}_alias` }));
  await load(client, name);
}

function everyTypeRow(id: number): Record<string, unknown> {
  const wave = id % 7;
  return {
    id,
    flag: id % 2 === 0,
    i8: (id % 256) - 128,
    i16: (id * 7) % 32_768,
    i32: -id * 1_000_003,
    i64: String(2n ** 53n + 1n + BigInt(id)),
    f: Math.fround(id / 3),
    d: -id / 7,
    title: id % 5 === 0 ? "" : `title ${id} é漢字 "quoted" \\ \u0001`,
    meta: { id, nested: { list: [id, null, "x", { deep: true }], empty: {} }, text: "é" },
    bools: wave === 0 ? [] : [true, false],
    i8s: [-128, wave],
    i16s: [-32_768, id],
    i32s: [2_147_483_647, -id],
    i64s: [String(2n ** 62n + BigInt(id))],
    floats: [Math.fround(id / 9), Math.fround(1e-30)],
    doubles: [Math.PI * id, -0.5],
    texts: [`t${wave}`, "é", ""],
    vec: vectorOf(id, 16),
    ...(id % 3 === 0 && { dynamic_text: `dyn ${id}` }),
    ...(id % 4 === 0 && { dynamic_number: id / 4, dynamic_list: [1, "two"] }),
  };
}

/** VarChar keys, a partition key over three partitions, binary vectors, deletes by key; not loaded. */
export async function seedByTenant(client: MilvusClient, name: Name): Promise<void> {
  await must(
    client.createCollection({
      ...named(name),
      num_partitions: 3,
      consistency_level: "Eventually",
      fields: [
        { name: "key", data_type: DataType.VarChar, max_length: 64, is_primary_key: true },
        { name: "tenant", data_type: DataType.VarChar, max_length: 64, is_partition_key: true },
        { name: "bits", data_type: DataType.BinaryVector, dim: 32 },
      ],
    }),
  );
  const rows = Array.from({ length: 90 }, (_, row) => ({
    key: `key/${row} é`,
    tenant: `tenant-${row % 11}`,
    bits: vectorOf(row, 4).map((value) => Math.floor(Math.abs(value) * 256)),
  }));
  await insertSegment(client, name, rows);
  await deleteRows(client, name, 'key in ["key/3 é", "key/50 é"]');
  const index = {
    field_name: "bits",
    index_name: "bits_flat",
    index_type: "BIN_FLAT",
    metric_type: "HAMMING",
    params: {},
  };
  await must(client.createIndex({ ...named(name), ...index }));
}

/** Keys that Milvus makes, and only one of two partitions loaded. */
export async function seedAutoIds(client: MilvusClient, name: Name): Promise<void> {
  await must(
    client.createCollection({
      ...named(name),
      description: "auto IDs",
      fields: [
        { name: "id", data_type: DataType.Int64, is_primary_key: true, autoID: true },
        { name: "text", data_type: DataType.VarChar, max_length: 32 },
        { name: "vec", data_type: DataType.FloatVector, dim: 4 },
      ],
    }),
  );
  await must(client.createPartition({ ...named(name), partition_name: "hot" }));
  const rows = (label: string, count: number) =>
    Array.from({ length: count }, (_, row) => ({ text: `${label} ${row}`, vec: vectorOf(row, 4) }));
  await insertSegment(client, name, rows("cold", 20));
  await insertSegment(client, name, rows("hot", 25), "hot");
  const index = { field_name: "vec", index_name: "vec_flat", index_type: "FLAT", metric_type: "COSINE", params: {} };
  await must(client.createIndex({ ...named(name), ...index }));
  await load(client, name, ["hot"]);
}

/** No row was ever inserted; no index either. */
export async function seedEmpty(client: MilvusClient, name: Name): Promise<void> {
  await must(
    client.createCollection({
      ...named(name),
      fields: [
        { name: "id", data_type: DataType.Int64, is_primary_key: true },
        { name: "vec", data_type: DataType.FloatVector, dim: 4 },
      ],
    }),
  );
}
