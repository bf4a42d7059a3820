import type {
  FieldDescription,
  FunctionDescription,
  KeyValue,
  SchemaDescription,
  StructArrayFieldDescription,
} from "../../core/milvus/descriptions.ts";
import { decodeSchemaMessage, encodeSchemaMessage, type PlainMessage } from "./protocol.ts";

/** `schemapb.CollectionSchema` as a plain message. */
export interface SchemaMessage extends PlainMessage {
  readonly name: string;
  readonly description: string;
  readonly fields: readonly FieldMessage[];
  readonly enable_dynamic_field: boolean;
  readonly properties: readonly KeyValue[];
  readonly functions: readonly FunctionMessage[];
  readonly struct_array_fields: readonly StructArrayFieldMessage[];
}

interface FieldMessage extends PlainMessage {
  readonly fieldID: string;
  readonly name: string;
  readonly description: string;
  readonly data_type: number;
  readonly element_type: number;
  readonly is_primary_key: boolean;
  readonly autoID: boolean;
  readonly is_partition_key: boolean;
  readonly is_dynamic: boolean;
  readonly nullable: boolean;
  readonly is_function_output: boolean;
  readonly default_value: PlainMessage | null;
  readonly type_params: readonly KeyValue[];
  readonly index_params: readonly KeyValue[];
}

interface FunctionMessage extends PlainMessage {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly type: number;
  readonly input_field_names: readonly string[];
  readonly input_field_ids: readonly string[];
  readonly output_field_names: readonly string[];
  readonly output_field_ids: readonly string[];
  readonly params: readonly KeyValue[];
}

interface StructArrayFieldMessage extends PlainMessage {
  readonly fieldID: string;
  readonly name: string;
  readonly description: string;
  readonly fields: readonly FieldMessage[];
}

/** Reads a schema as DescribeCollection answers it. */
export function readSchema(message: SchemaMessage): SchemaDescription {
  return {
    name: message.name,
    description: message.description,
    enableDynamicField: message.enable_dynamic_field,
    fields: message.fields.map(readField),
    properties: message.properties.map(readKeyValue),
    functions: message.functions.map(readFunction),
    structArrayFields: message.struct_array_fields.map(readStructArrayField),
  };
}

function readField(message: FieldMessage): FieldDescription {
  return {
    fieldId: message.fieldID,
    name: message.name,
    description: message.description,
    dataType: message.data_type,
    elementType: message.element_type,
    isPrimaryKey: message.is_primary_key,
    autoId: message.autoID,
    isPartitionKey: message.is_partition_key,
    isDynamic: message.is_dynamic,
    nullable: message.nullable,
    isFunctionOutput: message.is_function_output,
    defaultValueBase64: message.default_value
      ? Buffer.from(encodeSchemaMessage("ValueField", message.default_value)).toString("base64")
      : "",
    typeParams: message.type_params.map(readKeyValue),
    indexParams: message.index_params.map(readKeyValue),
  };
}

function readStructArrayField(message: StructArrayFieldMessage): StructArrayFieldDescription {
  return {
    fieldId: message.fieldID,
    name: message.name,
    description: message.description,
    fields: message.fields.map(readField),
  };
}

function readFunction(message: FunctionMessage): FunctionDescription {
  return {
    id: message.id,
    name: message.name,
    description: message.description,
    type: message.type,
    inputFieldNames: message.input_field_names,
    inputFieldIds: message.input_field_ids,
    outputFieldNames: message.output_field_names,
    outputFieldIds: message.output_field_ids,
    params: message.params.map(readKeyValue),
  };
}

/** Drops what protobuf adds: a plain pair. */
export function readKeyValue({ key, value }: KeyValue): KeyValue {
  return { key, value };
}

/**
 * Encodes a schema for CreateCollection. Milvus gives out field IDs itself, in the order of `fields` from 100 on, and adds the
 * dynamic field where `enableDynamicField` asks for it; so no IDs are sent, and `fields` must not hold it.
 */
export function encodeSchema(name: string, schema: SchemaDescription): Uint8Array {
  return encodeSchemaMessage("CollectionSchema", {
    name,
    description: schema.description,
    enable_dynamic_field: schema.enableDynamicField,
    fields: schema.fields.map(fieldMessage),
    properties: schema.properties.map(readKeyValue),
    functions: schema.functions.map(functionMessage),
    struct_array_fields: schema.structArrayFields.map(structArrayFieldMessage),
  });
}

/** Encodes one field for AddCollectionField. */
export function encodeField(field: FieldDescription): Uint8Array {
  return encodeSchemaMessage("FieldSchema", fieldMessage(field));
}

function fieldMessage(field: FieldDescription): PlainMessage {
  return {
    name: field.name,
    description: field.description,
    data_type: field.dataType,
    element_type: field.elementType,
    is_primary_key: field.isPrimaryKey,
    autoID: field.autoId,
    is_partition_key: field.isPartitionKey,
    nullable: field.nullable,
    is_function_output: field.isFunctionOutput,
    type_params: field.typeParams.map(readKeyValue),
    index_params: field.indexParams.map(readKeyValue),
    ...(field.defaultValueBase64
      ? { default_value: decodeSchemaMessage("ValueField", Buffer.from(field.defaultValueBase64, "base64")) }
      : {}),
  };
}

function structArrayFieldMessage(field: StructArrayFieldDescription): PlainMessage {
  return { name: field.name, description: field.description, fields: field.fields.map(fieldMessage) };
}

function functionMessage(fn: FunctionDescription): PlainMessage {
  return {
    name: fn.name,
    description: fn.description,
    type: fn.type,
    input_field_names: [...fn.inputFieldNames],
    output_field_names: [...fn.outputFieldNames],
    params: fn.params.map(readKeyValue),
  };
}
