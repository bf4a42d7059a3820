import type { StoredValue } from "../../core/binlog/stored-column.ts";
import { dataTypeNumber } from "../../core/milvus/data-types.ts";
import type { CollectionName } from "../../core/milvus/descriptions.ts";
import type { InsertedColumn, InsertedRows } from "../../ports/milvus.ts";
import { aboutCollection } from "./collections.ts";
import { failedError } from "./errors.ts";
import type { GrpcClient } from "./grpc-client.ts";
import { decodeSchemaMessage, type PlainMessage } from "./protocol.ts";

/**
 * Inserts rows with one call, as Milvus 2.2 and 2.3 take them.
 * @throws MilvusFailed where Milvus refuses them; after anything else nobody knows whether they are there
 */
export async function insertRows(client: GrpcClient, name: CollectionName, inserted: InsertedRows): Promise<void> {
  const { partition = "", columns, rows } = inserted;
  const request = {
    collection_name: name.collection,
    partition_name: partition,
    num_rows: rows,
    fields_data: columns.map(fieldData),
  };
  const about = partition === "" ? {} : { part: `partition ${partition}` };
  const answer = await client.call<{ readonly insert_cnt: string }>("Insert", request, {
    ...aboutCollection(name),
    ...about,
  });
  if (answer.insert_cnt === String(rows)) return;
  throw failedError(client.endpoint, "Insert", `it took ${answer.insert_cnt} of ${rows} rows`);
}

/** `schemapb.FieldData` */
function fieldData({ field, values }: InsertedColumn): PlainMessage {
  const { name, dataType, isDynamic } = field;
  const data = field.type.endsWith("Vector")
    ? { vectors: vectors(field, values) }
    : { scalars: scalars(field, values) };
  return { type: dataType, field_name: name, is_dynamic: isDynamic, ...data };
}

function scalars({ type, elementType = "" }: InsertedColumn["field"], values: readonly StoredValue[]): PlainMessage {
  switch (type) {
    case "Bool":
      return { bool_data: { data: values } };
    case "Int8":
    case "Int16":
    case "Int32":
      return { int_data: { data: values } };
    case "Int64":
      return { long_data: { data: values.map(String) } };
    case "Float":
      return { float_data: { data: values } };
    case "Double":
      return { double_data: { data: values } };
    case "VarChar":
      return { string_data: { data: values } };
    case "JSON":
      return { json_data: { data: values } };
    case "Array": {
      // Stored as the message that it is inserted as.
      const data = values.map((value) => decodeSchemaMessage("ScalarField", value as Uint8Array));
      return { array_data: { data, element_type: dataTypeNumber(elementType) } };
    }
    default:
      throw new TypeError(`a column of type ${type} is not inserted`);
  }
}

function vectors({ type, dim = 0 }: InsertedColumn["field"], values: readonly StoredValue[]): PlainMessage {
  const bytes = Buffer.concat(values as readonly Uint8Array[]);
  if (type === "BinaryVector") return { dim: String(dim), binary_vector: bytes };
  if (type !== "FloatVector") throw new TypeError(`a column of type ${type} is not inserted`);
  // A buffer of its own begins where a float may begin.
  const floats = new Float32Array(Uint8Array.from(bytes).buffer);
  return { dim: String(dim), float_vector: { data: [...floats] } };
}
