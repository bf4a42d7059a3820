import type { Attributes, DescriptionOf, KeyValue, Kind } from "./attributes.ts";
import { dataTypeName } from "./data-types.ts";
import type {
  CollectionDescription,
  CreateCollectionRequest,
  FieldDescription,
  SchemaDescription,
  StructArrayFieldDescription,
} from "./descriptions.ts";
import { ownProperties } from "./properties.ts";
import { fieldAttributes, schemaAttributes, structArrayAttributes } from "./schema-attributes.ts";
import { dynamicFieldId, toCollectionSchema } from "./schema-mapping.ts";

/** `imports`: what decides whether binlogs can be imported. `whole`: every attribute that a request carries. */
type Depth = "imports" | "whole";

/**
 * What keeps binlogs of `backup` from being imported into a collection with the schema `target`: one sentence for each
 * difference in fields, their IDs, types, sizes and roles, dynamic field, functions and struct arrays. Empty where they match;
 * descriptions, properties and names of the collections do not matter.
 */
export function sameSchema(backup: SchemaDescription, target: SchemaDescription): string[] {
  return compareSchemas(backup, target, "imports");
}

/**
 * Compares a collection that was just made with what was asked for, attribute by attribute: a server may leave out what it does not
 * know, and gives out the field IDs itself. What it adds (properties, parameters) does not matter. One sentence for each difference.
 * @param partitions how many it has
 */
export function differencesFrom(
  create: CreateCollectionRequest,
  found: CollectionDescription,
  partitions: number,
): string[] {
  const { schema, addedFields, shards, consistencyLevel, partitionCount } = create;
  const wanted = { ...schema, fields: [...schema.fields, ...addedFields] };
  const properties = ownProperties(found.schema.properties, found.properties);
  const keys = new Set(create.properties.map(({ key }) => key));
  return [
    ...compareSchemas(wanted, found.schema, "whole"),
    // a backup that does not say how many leaves it to the server
    ...(shards > 0 ? difference("the number of shards", shards, found.shards) : []),
    ...difference("the consistency level", consistencyLevel, found.consistencyLevel),
    ...(partitionCount === undefined ? [] : difference("the number of partitions", partitionCount, partitions)),
    ...compareKeys("property ", keys, create.properties, properties),
  ];
}

function compareSchemas(backup: SchemaDescription, target: SchemaDescription, depth: Depth): string[] {
  const differences = compareFields("field", backup.fields, target.fields, depth);
  if (backup.enableDynamicField !== target.enableDynamicField) {
    differences.push(
      `the dynamic field is ${onOff(backup.enableDynamicField)} in the backup and ${onOff(target.enableDynamicField)} in the target`,
    );
  } else {
    const [ours, theirs] = [backup, target].map((schema) => dynamicFieldId(toCollectionSchema(schema)));
    if (ours !== theirs) {
      differences.push(`the dynamic field has ID ${ours} in the backup and ${theirs} in the target`);
    }
  }
  differences.push(...compareNames("function", backup.functions.map(signature), target.functions.map(signature)));
  differences.push(...compareStructArrays(backup.structArrayFields, target.structArrayFields, depth));
  if (depth === "imports") return differences;
  return [
    ...differences,
    ...difference("the description", inWords("text", backup.description), inWords("text", target.description)),
    ...compareAttributes("the collection's ", shown, [backup, target], depth),
    // it may hold credentials
    ...(backup.externalSpec === target.externalSpec
      ? []
      : ["the collection's external spec is not that of the backup"]),
  ];
}

const { externalSpec: _, ...shown } = schemaAttributes;

/** What decides whether the values of a field fit. */
const sizeParams = ["dim", "max_length", "max_capacity"];

/** Not asked for, or (index parameters) moved to the index by the server; type parameters are compared one by one. */
const notCompared: ReadonlySet<string> = new Set(["name", "isDynamic", "state", "indexParams", "typeParams"]);

const timestamptz = 26;
const { defaultValueBase64: __, ...withoutDefault } = fieldAttributes;

function compareFields(
  what: string,
  backup: readonly FieldDescription[],
  target: readonly FieldDescription[],
  depth: Depth,
): string[] {
  const users = (fields: readonly FieldDescription[]) => fields.filter((field) => !field.isDynamic);
  return compareEach(what, users(backup), users(target), (where, ours, theirs) => {
    const keys = depth === "whole" ? ours.typeParams.map(({ key }) => key) : [];
    // the server rewrites a default value of this type
    const table = ours.dataType === timestamptz ? withoutDefault : fieldAttributes;
    return [
      ...compareAttributes(`${where}: `, table, [ours, theirs], depth),
      ...compareKeys(`${where}: `, new Set([...sizeParams, ...keys]), ours.typeParams, theirs.typeParams),
    ];
  });
}

function compareStructArrays(
  backup: readonly StructArrayFieldDescription[],
  target: readonly StructArrayFieldDescription[],
  depth: Depth,
): string[] {
  return compareEach("struct array", backup, target, (where, ours, theirs) => {
    const keys = depth === "whole" ? ours.typeParams.map(({ key }) => key) : [];
    return [
      ...compareAttributes(`${where}: `, structArrayAttributes, [ours, theirs], depth),
      ...compareKeys(`${where}: `, new Set(keys), ours.typeParams, theirs.typeParams),
      ...compareFields(`field of ${where}`, ours.fields, theirs.fields, depth),
    ];
  });
}

/** Compares what has the same name on both sides. */
function compareEach<T extends { readonly name: string }>(
  what: string,
  backup: readonly T[],
  target: readonly T[],
  compare: (where: string, ours: T, theirs: T) => string[],
): string[] {
  const names = (values: readonly T[]) => values.map(({ name }) => name);
  return [
    ...compareNames(what, names(backup), names(target)),
    ...backup.flatMap((ours) => {
      const theirs = target.find(({ name }) => name === ours.name);
      return theirs ? compare(`${what} ${ours.name}`, ours, theirs) : [];
    }),
  ];
}

function compareAttributes<T extends Attributes>(
  where: string,
  table: T,
  [backup, target]: readonly [DescriptionOf<T>, DescriptionOf<T>],
  depth: Depth,
): string[] {
  return Object.entries(table).flatMap(([key, { kind, trait, wire }]) => {
    if (notCompared.has(key) || (depth === "imports" && trait === undefined)) return [];
    const name = trait ?? wire.replace(/^is_/, "").replaceAll("_", " ");
    return difference(`${where}${name}`, inWords(kind, backup[key]), inWords(kind, target[key]));
  });
}

/** Compares the values of some keys. */
function compareKeys(
  where: string,
  keys: ReadonlySet<string>,
  backup: readonly KeyValue[],
  target: readonly KeyValue[],
): string[] {
  const found = (pairs: readonly KeyValue[], key: string) => pairs.find((pair) => pair.key === key)?.value ?? "none";
  return [...keys].flatMap((key) => difference(`${where}${key}`, found(backup, key), found(target, key)));
}

function compareNames(what: string, backup: readonly string[], target: readonly string[]): string[] {
  return [
    ...backup.filter((name) => !target.includes(name)).map((name) => `${what} ${name} is missing in the target`),
    ...target.filter((name) => !backup.includes(name)).map((name) => `${what} ${name} is not in the backup`),
  ];
}

function difference(what: string, backup: string | number, target: string | number): string[] {
  return backup === target ? [] : [`${what} is ${backup} in the backup and ${target} in the target`];
}

function inWords(kind: Kind, value: unknown): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (kind === "text" || kind === "valueField") return value === "" ? "none" : JSON.stringify(value);
  if (kind !== "dataType") return String(value);
  return value === 0 ? "none" : dataTypeName(Number(value));
}

function signature(fn: SchemaDescription["functions"][number]): string {
  return `${fn.name} (type ${fn.type}, ${fn.inputFieldNames.join(", ")} to ${fn.outputFieldNames.join(", ")})`;
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}
