import { PipelineError } from "../execution/errors.ts";
import { defaultValueOf } from "../format/default-value.ts";
import type { CollectionSchema, FieldSchema } from "../format/meta.ts";
import { dataTypeName } from "../milvus/data-types.ts";
import { dynamicFieldId } from "../milvus/schema-mapping.ts";
import { type ScalarElement, valueField } from "./scalar-field.ts";

/** A column of a collection's rows. */
export interface RowField {
  /** As its binlogs are filed. */
  readonly id: bigint;
  readonly name: string;
  /** `Int64`, `VarChar` ...: Milvus's name; `type 77` for a number nobody knows. */
  readonly type: string;
  /** Of an Array. */
  readonly elementType?: string;
  /** Milvus's number of the type. */
  readonly dataType: number;
  /** Dimensions of a vector; absent for a sparse one. */
  readonly dim?: number;
  readonly isPrimaryKey: boolean;
  readonly isDynamic: boolean;
  /** What a row has that was written before the field was added; undefined where every row must have a value. */
  readonly absent: ScalarElement | null | undefined;
}

/** What Milvus calls the field of values that the schema does not name. */
export const dynamicFieldName = "$meta";

/** Row IDs and timestamps, which Milvus keeps for itself. */
export const timestampFieldId = 1n;

const int64 = 5;
const json = 23;

/** Given out by Milvus, and kept by compaction. */
export const rowIdField: RowField = {
  id: 0n,
  name: "RowID",
  type: dataTypeName(int64),
  dataType: int64,
  isPrimaryKey: false,
  isDynamic: false,
  absent: undefined,
};

export const timestampField: RowField = {
  ...rowIdField,
  id: timestampFieldId,
  name: "Timestamp",
};

/**
 * The columns of a collection's rows in the schema's order, the dynamic field last. Milvus does not describe that one, but stores it.
 * @throws CorruptBackup where the schema has no primary key, or a default value that is none
 */
export function rowFields(schema: CollectionSchema): RowField[] {
  const fields = schema.fields.filter(({ is_dynamic }) => !is_dynamic).map(rowField);
  const structs = schema.struct_array_fields.flatMap(({ fields }) => fields.map(rowField));
  const dynamicId = dynamicFieldId(schema);
  const dynamic: RowField[] =
    dynamicId === undefined
      ? []
      : [
          {
            ...{ id: dynamicId, name: dynamicFieldName, type: dataTypeName(json), dataType: json },
            ...{ isPrimaryKey: false, isDynamic: true, absent: null },
          },
        ];
  if (!fields.some(({ isPrimaryKey }) => isPrimaryKey)) {
    throw new PipelineError("CorruptBackup", `the schema of ${schema.name} has no primary key`);
  }
  return [...fields, ...structs, ...dynamic];
}

/** The field that tells rows apart. */
export function primaryKeyOf(fields: readonly RowField[]): RowField {
  const found = fields.find(({ isPrimaryKey }) => isPrimaryKey);
  if (found === undefined) throw new RangeError("fields without a primary key");
  return found;
}

function rowField(field: FieldSchema): RowField {
  const dim = field.type_params.find(({ key }) => key === "dim")?.value;
  return {
    id: field.fieldID,
    name: field.name,
    type: dataTypeName(field.data_type),
    dataType: field.data_type,
    ...(field.element_type !== 0 && { elementType: dataTypeName(field.element_type) }),
    ...(dim !== undefined && { dim: Number(dim) }),
    isPrimaryKey: field.is_primary_key,
    isDynamic: false,
    absent: absentValue(field),
  };
}

function absentValue(field: FieldSchema): RowField["absent"] {
  const base64 = defaultValueOf(field);
  const none = field.nullable || field.is_function_output ? null : undefined;
  if (base64 === undefined || base64 === "") return none;
  try {
    return valueField(Buffer.from(base64, "base64")) ?? none;
  } catch (cause) {
    throw new PipelineError("CorruptBackup", `field ${field.name}: its default value cannot be read`, { cause });
  }
}
