import { PipelineError } from "../execution/errors.ts";
import type { KeptAttributes, KeptValues } from "../format/manifest.ts";
import type { Attributes, DescriptionOf, Kind } from "./attributes.ts";
import type { CollectionDescription, SchemaDescription } from "./descriptions.ts";
import { qualifiedName } from "./names.ts";
import { fieldAttributes, schemaAttributes, structArrayAttributes } from "./schema-attributes.ts";

export type { KeptAttributes } from "../format/manifest.ts";

/** What of a collection the format has no place for, as our manifest keeps it; none where there is nothing. */
export function keptOf({ id, name, schema }: CollectionDescription): KeptAttributes[] {
  const ofSchema = beyondFormat(schemaAttributes, schema);
  const ofFields = <T extends typeof fieldAttributes | typeof structArrayAttributes>(
    table: T,
    described: readonly DescriptionOf<T>[],
  ) => described.map((field) => ({ fieldId: field.fieldId, name: field.name, values: beyondFormat(table, field) }));
  const fields = [
    ...ofFields(fieldAttributes, schema.fields),
    ...ofFields(structArrayAttributes, schema.structArrayFields),
    ...ofFields(
      fieldAttributes,
      schema.structArrayFields.flatMap((struct) => struct.fields),
    ),
  ].filter(({ values }) => Object.keys(values).length > 0);
  if (fields.length === 0 && Object.keys(ofSchema).length === 0) return [];
  return [{ collectionId: id, collection: qualifiedName(name), schema: ofSchema, fields }];
}

/**
 * A schema with what the manifest keeps of it.
 * @throws CorruptBackup for an attribute that is not known, or is of another kind: a collection without it would be another one
 */
export function withKept(schema: SchemaDescription, kept: KeptAttributes | undefined): SchemaDescription {
  if (!kept) return schema;
  const values = new Map(kept.fields.map((field) => [field.fieldId, field.values]));
  const merged = <T extends { readonly fieldId: string }>(table: Attributes, field: T): T => ({
    ...field,
    ...fromKept(table, values.get(field.fieldId) ?? {}, kept.collection),
  });
  return {
    ...schema,
    ...fromKept(schemaAttributes, kept.schema, kept.collection),
    fields: schema.fields.map((field) => merged(fieldAttributes, field)),
    structArrayFields: schema.structArrayFields.map((struct) => ({
      ...merged(structArrayAttributes, struct),
      fields: struct.fields.map((field) => merged(fieldAttributes, field)),
    })),
  };
}

/** What a restore by a tool that reads nothing but the format loses of a collection: one sentence. */
export function lostElsewhere({ collection, schema, fields }: KeptAttributes): string {
  const names = [
    ...Object.keys(schema),
    ...fields.flatMap(({ name, values }) => Object.keys(values).map((key) => `${key} of ${name}`)),
  ];
  return (
    `${collection}: the format of milvus-backup has no place for ${names.join(", ")}: this pipeline keeps it in its manifest and restores it, ` +
    "milvus-backup would make the collection without it"
  );
}

function beyondFormat<T extends Attributes>(table: T, description: DescriptionOf<T>): KeptValues {
  return Object.fromEntries(
    Object.entries(table).flatMap(([key, { wire, meta }]) => {
      if (meta !== null) return [];
      // the table says of what kind it is; a plan of an earlier version may lack it
      const value = (description[key] ?? false) as KeptValues[string];
      return value === true || (value !== false && value.length > 0) ? [[wire, value]] : [];
    }),
  );
}

function fromKept(table: Attributes, values: KeptValues, collection: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([wire, value]) => {
      const found = Object.entries(table).find(([, attribute]) => attribute.wire === wire && attribute.meta === null);
      if (found && kindOf[typeof value] === found[1].kind) return [found[0], value];
      throw new PipelineError(
        "CorruptBackup",
        `the manifest keeps ${wire} of ${collection}, which this version does not know: a newer one wrote it, update the pipeline`,
      );
    }),
  );
}

/** The kinds of attributes that the format has no place for, by how a manifest spells them. */
const kindOf: Readonly<Record<string, Kind>> = { boolean: "flag", string: "text", object: "keyValues" };
