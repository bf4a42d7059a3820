import { describe, expect, it } from "vitest";
import {
  decodeSchemaMessage,
  encodeSchemaMessage,
  type PlainMessage,
} from "../../../../src/adapters/milvus/protocol.ts";
import { fieldSchema, functionSchema, structArrayField } from "../../../../src/core/format/meta.ts";
import { type Attributes, fromRecord, toRecord } from "../../../../src/core/milvus/attributes.ts";
import {
  fieldAttributes,
  functionAttributes,
  schemaAttributes,
  structArrayAttributes,
} from "../../../../src/core/milvus/schema-attributes.ts";

const column = (table: Attributes, name: "wire" | "meta") =>
  Object.values(table).flatMap((attribute) => attribute[name] ?? []);

/** A schema with one of each, everything filled in: the keys are what Milvus's protocol knows. */
const message = decodeSchemaMessage(
  "CollectionSchema",
  encodeSchemaMessage("CollectionSchema", { fields: [{}], functions: [{}], struct_array_fields: [{}] }),
) as Record<"fields" | "functions" | "struct_array_fields", readonly PlainMessage[]>;

/** What a SchemaDescription has by name, and what belongs to a server's bookkeeping. */
const schemaByName = [
  ...["name", "description", "fields", "enable_dynamic_field", "properties", "functions", "struct_array_fields"],
  ...["autoID", "dbName", "version", "file_resource_ids", "do_physical_backfill"],
];

describe("the tables of a schema's attributes", () => {
  it.each([
    ["fields", fieldAttributes, message.fields[0], []],
    ["functions", functionAttributes, message.functions[0], []],
    ["struct arrays", structArrayAttributes, message.struct_array_fields[0], ["fields"]],
    ["collections", schemaAttributes, message, schemaByName],
  ])("know everything that Milvus's protocol has of %s", (_what, table, known, nested) => {
    expect([...column(table, "wire"), ...nested].sort()).toEqual(Object.keys(known ?? {}).sort());
  });

  it.each([
    ["fields", fieldAttributes, fieldSchema.zero(), ["default_value_proto"]],
    ["functions", functionAttributes, functionSchema.zero(), []],
    ["struct arrays", structArrayAttributes, structArrayField.zero(), ["fields"]],
  ])("fill everything that the format holds of %s", (_what, table, record, others) => {
    expect([...column(table, "meta"), ...others].sort()).toEqual(Object.keys(record).sort());
  });

  it("say what of them the format has no place for", () => {
    const lost = (table: Attributes) => Object.keys(table).filter((name) => table[name]?.meta === null);
    expect(lost(fieldAttributes)).toEqual(["isClusteringKey", "externalField"]);
    expect(lost(structArrayAttributes)).toEqual(["typeParams", "nullable"]);
    expect(lost(functionAttributes)).toEqual([]);
    expect(lost(schemaAttributes)).toEqual(["enableNamespace", "externalSource", "externalSpec"]);
  });

  it("carry the state of a field into the record, and 64-bit IDs with all their digits", () => {
    const described = { ...fromRecord(fieldAttributes, fieldSchema.zero()), fieldId: "470615367219551002", state: 1 };
    const record = fieldSchema.create(toRecord(fieldAttributes, described));
    expect(record).toEqual(fieldSchema.create({ fieldID: 470615367219551002n, state: 1 }));
    expect(fromRecord(fieldAttributes, record)).toEqual(described);
  });
});
