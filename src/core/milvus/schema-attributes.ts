import type { Attributes } from "./attributes.ts";

/**
 * What a field of Milvus (`schemapb.FieldSchema`) has, each attribute once: the description, the record of the format and the
 * messages on the wire follow from this. The order of a record is the format's (core/format/meta.ts).
 */
export const fieldAttributes = {
  fieldId: { kind: "id", wire: "fieldID", meta: "fieldID", sent: false, trait: "ID" },
  name: { kind: "text", wire: "name", meta: "name" },
  description: { kind: "text", wire: "description", meta: "description" },
  /** Milvus's number: Int64 5, VarChar 21, FloatVector 101 ... */
  dataType: { kind: "dataType", wire: "data_type", meta: "data_type", trait: "type" },
  /** For Array; 0 otherwise. */
  elementType: { kind: "dataType", wire: "element_type", meta: "element_type", trait: "element type" },
  isPrimaryKey: { kind: "flag", wire: "is_primary_key", meta: "is_primary_key", trait: "primary key" },
  autoId: { kind: "flag", wire: "autoID", meta: "autoID", trait: "autoID" },
  isPartitionKey: { kind: "flag", wire: "is_partition_key", meta: "is_partition_key", trait: "partition key" },
  /** What clustering compaction sorts the segments by. */
  isClusteringKey: { kind: "flag", wire: "is_clustering_key", meta: null },
  /** Milvus makes this field itself where the schema asks for dynamic fields. */
  isDynamic: { kind: "flag", wire: "is_dynamic", meta: "is_dynamic", sent: false },
  nullable: { kind: "flag", wire: "nullable", meta: "nullable", trait: "nullable" },
  isFunctionOutput: { kind: "flag", wire: "is_function_output", meta: "is_function_output", trait: "function output" },
  /** base64 of the protobuf `schemapb.ValueField`; "" without default. Older backups hold it otherwise, see `defaultValueOf`. */
  defaultValueBase64: { kind: "valueField", wire: "default_value", meta: "default_value_base64" },
  typeParams: { kind: "keyValues", wire: "type_params", meta: "type_params" },
  indexParams: { kind: "keyValues", wire: "index_params", meta: "index_params" },
  /** Milvus's number: created 0, creating 1, dropping 2, dropped 3. */
  state: { kind: "number", wire: "state", meta: "state", sent: false },
  /** The column in the files of an external collection. */
  externalField: { kind: "text", wire: "external_field", meta: null },
} as const satisfies Attributes;

/** `schemapb.CollectionSchema`: what the format has no place for. Its other attributes are in SchemaDescription by name. */
export const schemaAttributes = {
  /** Rows belong to namespaces: Milvus adds a hidden field, and a partition key where the properties say so. */
  enableNamespace: { kind: "flag", wire: "enable_namespace", meta: null },
  /** Where the files of an external collection lie. */
  externalSource: { kind: "text", wire: "external_source", meta: null },
  externalSpec: { kind: "text", wire: "external_spec", meta: null },
} as const satisfies Attributes;

/** `schemapb.StructArrayFieldSchema`, besides its fields. */
export const structArrayAttributes = {
  fieldId: { kind: "id", wire: "fieldID", meta: "fieldID", sent: false, trait: "ID" },
  name: { kind: "text", wire: "name", meta: "name" },
  description: { kind: "text", wire: "description", meta: "description" },
  typeParams: { kind: "keyValues", wire: "type_params", meta: null },
  nullable: { kind: "flag", wire: "nullable", meta: null },
} as const satisfies Attributes;

/** `schemapb.FunctionSchema` */
export const functionAttributes = {
  id: { kind: "id", wire: "id", meta: "id", sent: false },
  name: { kind: "text", wire: "name", meta: "name" },
  description: { kind: "text", wire: "description", meta: "description" },
  /** Milvus's number: BM25 1, TextEmbedding 2 ... */
  type: { kind: "number", wire: "type", meta: "type" },
  inputFieldNames: { kind: "texts", wire: "input_field_names", meta: "input_field_names" },
  inputFieldIds: { kind: "ids", wire: "input_field_ids", meta: "input_field_ids", sent: false },
  outputFieldNames: { kind: "texts", wire: "output_field_names", meta: "output_field_names" },
  outputFieldIds: { kind: "ids", wire: "output_field_ids", meta: "output_field_ids", sent: false },
  params: { kind: "keyValues", wire: "params", meta: "params" },
} as const satisfies Attributes;
