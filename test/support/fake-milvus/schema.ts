import { dataTypeName } from "../../../src/core/milvus/data-types.ts";
import { type Message, Refusal } from "./refusal.ts";

/** `schemapb.FieldSchema` as a plain message. */
interface FieldMessage extends Message {
  fieldID: string;
  name: string;
  data_type: number | string;
}

/** `schemapb.CollectionSchema`. */
export interface SchemaMessage extends Message {
  name: string;
  fields: FieldMessage[];
}

const firstFieldId = 100;
const dynamicField = "$meta";

/** Gives out field IDs as root coord does: fields in their order, the dynamic one, then struct arrays with their fields. */
export function withFieldIds(schema: Message, isAtLeast: (version: string) => boolean): SchemaMessage {
  let next = firstFieldId;
  const fields = ((schema.fields as Message[] | undefined) ?? []).map((field) => identified(field));
  function identified(field: Message): FieldMessage {
    const given = String(field.fieldID ?? "0");
    const fieldID = given === "0" ? String(next) : given;
    next = Math.max(next, Number(fieldID)) + 1;
    return { ...field, fieldID } as FieldMessage;
  }
  const hasDynamic = fields.some(({ is_dynamic }) => is_dynamic === true);
  if (schema.enable_dynamic_field === true && !hasDynamic) fields.push(identified(dynamicFieldSchema));
  const structs = ((schema.struct_array_fields as Message[] | undefined) ?? []).map((struct) => {
    const { fieldID } = identified(struct);
    return { ...struct, fieldID, fields: (struct.fields as Message[]).map((field) => identified(field)) };
  });
  const idOf = new Map(fields.map(({ name, fieldID }) => [name, fieldID]));
  const ids = (names: unknown) => (names as string[]).map((name) => idOf.get(name) ?? "0");
  const functions = ((schema.functions as Message[] | undefined) ?? []).map((fn, index) => ({
    ...fn,
    id: String(fn.id ?? "0") === "0" ? String(firstFieldId + index) : fn.id,
    input_field_ids: ids(fn.input_field_names ?? []),
    output_field_ids: ids(fn.output_field_names ?? []),
  }));
  return {
    ...schema,
    fields,
    ...(isAtLeast("2.5.0") ? { functions } : {}),
    ...(isAtLeast("2.6.4") ? { struct_array_fields: structs } : {}),
  } as unknown as SchemaMessage;
}

const dynamicFieldSchema: Message = {
  name: dynamicField,
  description: "dynamic schema",
  data_type: 23,
  is_dynamic: true,
};

/** As DescribeCollection tells it: without the dynamic field, which only `enable_dynamic_field` shows. */
export function describedSchema(schema: SchemaMessage): Message {
  return { ...schema, fields: schema.fields.filter(({ is_dynamic }) => is_dynamic !== true) };
}

/** Adds a field as AddCollectionField does (2.6+). */
export function withAddedField(schema: SchemaMessage, field: Message): SchemaMessage {
  const name = String(field.name);
  if (schema.fields.some((other) => other.name === name)) {
    throw new Refusal("parameterInvalid", `: duplicate field name: ${name}`);
  }
  if (field.nullable !== true) {
    throw new Refusal("parameterInvalid", `: added field must be nullable, please check it, field name = ${name}`);
  }
  const highest = Math.max(firstFieldId - 1, ...schema.fields.map(({ fieldID }) => Number(fieldID)));
  const added = { ...field, fieldID: String(highest + 1) } as FieldMessage;
  return { ...schema, fields: [...schema.fields, added] };
}

const legalName = /^[A-Za-z_][A-Za-z0-9_$]*$/;

/** The proxy's checks of a new collection, in its order. @throws Refusal */
export function checkSchema(schema: Message): void {
  const fields = (schema.fields as FieldMessage[] | undefined) ?? [];
  const name = String(schema.name ?? "");
  if (name === "") throw new Refusal("parameterInvalid", ": collection name should not be empty: invalid parameter");
  if (!legalName.test(name)) {
    const why = "the first character of a collection name must be an underscore or letter";
    throw new Refusal("parameterInvalid", `: Invalid collection name: ${name}. ${why}: invalid parameter`);
  }
  const names = new Set<string>();
  for (const field of fields) {
    if (!legalName.test(field.name)) {
      const why = "The first character of a field name must be an underscore or letter";
      throw new Refusal("parameterInvalid", `: Invalid field name: ${field.name}. ${why}.: invalid parameter`);
    }
    if (names.has(field.name)) throw new Refusal("parameterInvalid", `: duplicated field name: ${field.name}`);
    names.add(field.name);
    checkType(field);
  }
  const keys = fields.filter(({ is_primary_key }) => is_primary_key === true);
  if (keys.length !== 1) {
    const why = keys.length === 0 ? "primary key is not specified" : "there are more than one primary key";
    throw new Refusal("parameterInvalid", `: ${why}: invalid parameter`);
  }
  const nested = ((schema.struct_array_fields as Message[] | undefined) ?? []).flatMap(
    (struct) => struct.fields as FieldMessage[],
  );
  if (![...fields, ...nested].some(isVector)) {
    throw new Refusal("parameterInvalid", ": schema does not contain vector field: invalid parameter");
  }
}

export function isVector(field: Message): boolean {
  return dataTypeOf(field).toLowerCase().includes("vector");
}

/** `FloatVector` */
function dataTypeOf(field: Message): string {
  const type = field.data_type;
  return typeof type === "number" ? dataTypeName(type) : String(type);
}

function checkType(field: FieldMessage): void {
  const type = dataTypeOf(field);
  const has = (key: string) => ((field.type_params as { key: string }[] | undefined) ?? []).some((p) => p.key === key);
  if (type === "VarChar" && !has("max_length")) {
    throw new Refusal("parameterInvalid", `: type param(max_length) should be specified for the field(${field.name})`);
  }
  if (isVector(field) && !type.startsWith("Sparse") && !has("dim")) {
    throw new Refusal("parameterInvalid", `: dimension is not defined in field type params of field ${field.name}`);
  }
}
