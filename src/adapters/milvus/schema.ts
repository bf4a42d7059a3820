import { asDescribed, type Kinds, type Place, readAttributes, writeAttributes } from "../../core/milvus/attributes.ts";
import type { FieldDescription, KeyValue, SchemaDescription } from "../../core/milvus/descriptions.ts";
import {
  fieldAttributes,
  functionAttributes,
  schemaAttributes,
  structArrayAttributes,
} from "../../core/milvus/schema-attributes.ts";
import { decodeSchemaMessage, encodeSchemaMessage, type PlainMessage } from "./protocol.ts";

/** `schemapb.CollectionSchema` as a plain message. */
export interface SchemaMessage extends PlainMessage {
  readonly name: string;
  readonly description: string;
  readonly fields: readonly PlainMessage[];
  readonly enable_dynamic_field: boolean;
  readonly properties: readonly KeyValue[];
  readonly functions: readonly PlainMessage[];
  readonly struct_array_fields: readonly StructArrayFieldMessage[];
}

interface StructArrayFieldMessage extends PlainMessage {
  readonly fields: readonly PlainMessage[];
}

/** The kinds of values as plain messages hold them: 64-bit IDs are text there too. */
type WireKinds = Omit<Kinds, "valueField"> & { valueField: PlainMessage | null };

const answer: Place<WireKinds> = {
  nameOf: ({ wire }) => wire,
  spelling: {
    id: asDescribed,
    ids: asDescribed,
    text: asDescribed,
    texts: asDescribed,
    flag: asDescribed,
    number: asDescribed,
    dataType: asDescribed,
    keyValues: { read: (pairs) => pairs.map(readKeyValue), write: (pairs) => pairs.map(readKeyValue) },
    valueField: {
      read: (value) => (value ? Buffer.from(encodeSchemaMessage("ValueField", value)).toString("base64") : ""),
      write: (base64) => (base64 ? decodeSchemaMessage("ValueField", Buffer.from(base64, "base64")) : null),
    },
  },
};

const request: Place<WireKinds> = { ...answer, nameOf: ({ wire, sent }) => (sent === false ? null : wire) };

/** Reads a schema as DescribeCollection answers it. */
export function readSchema(message: SchemaMessage): SchemaDescription {
  return {
    ...readAttributes(schemaAttributes, answer, message),
    name: message.name,
    description: message.description,
    enableDynamicField: message.enable_dynamic_field,
    fields: message.fields.map(readField),
    properties: message.properties.map(readKeyValue),
    functions: message.functions.map((fn) => readAttributes(functionAttributes, answer, fn)),
    structArrayFields: message.struct_array_fields.map((field) => ({
      ...readAttributes(structArrayAttributes, answer, field),
      fields: field.fields.map(readField),
    })),
  };
}

function readField(message: PlainMessage): FieldDescription {
  return readAttributes(fieldAttributes, answer, message);
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
    ...writeAttributes(schemaAttributes, request, schema),
    name,
    description: schema.description,
    enable_dynamic_field: schema.enableDynamicField,
    fields: schema.fields.map(fieldMessage),
    properties: schema.properties.map(readKeyValue),
    functions: schema.functions.map((fn) => writeAttributes(functionAttributes, request, fn)),
    struct_array_fields: schema.structArrayFields.map((field) => ({
      ...writeAttributes(structArrayAttributes, request, field),
      fields: field.fields.map(fieldMessage),
    })),
  });
}

/** Encodes one field for AddCollectionField. */
export function encodeField(field: FieldDescription): Uint8Array {
  return encodeSchemaMessage("FieldSchema", fieldMessage(field));
}

function fieldMessage(field: FieldDescription): PlainMessage {
  return writeAttributes(fieldAttributes, request, field);
}
