import { PipelineError } from "../execution/errors.ts";
import type { RestoreInput } from "../execution/messages.ts";
import { shortList } from "../execution/short-list.ts";
import type { KeyValue } from "../milvus/attributes.ts";
import { isVector } from "../milvus/data-types.ts";
import type {
  CollectionName,
  CreateCollectionRequest,
  CreateIndexRequest,
  FieldDescription,
} from "../milvus/descriptions.ts";
import { parseQualifiedName, qualifiedName } from "../milvus/names.ts";

/** What of a restore's input makes a collection otherwise than it was. */
export type Overrides = Pick<
  RestoreInput,
  "shards" | "maxShards" | "description" | "autoIndex" | "skipProperties" | "skipFieldParams" | "skipIndexParams"
>;

/** What is asked for of one collection: what is said of it alone wins over what is said of all. */
export function overridesFor(target: CollectionName, input: Overrides & Pick<RestoreInput, "overrides">): Overrides {
  const own = Object.entries(input.overrides ?? {}).find(([name]) => isNameOf(name, target))?.[1];
  return { ...input, ...own };
}

/**
 * @param targets the names that the restore gives
 * @throws InvalidInput where an override names nothing that is made, or one collection twice
 */
export function checkOverrides(overrides: RestoreInput["overrides"], targets: readonly CollectionName[]): void {
  const names = Object.keys(overrides ?? {});
  const problem = (text: string) =>
    new PipelineError("InvalidInput", `overrides: ${text}`, { details: { key: "overrides" } });
  for (const name of names) {
    if (!targets.some((target) => isNameOf(name, target))) {
      const made = shortList(targets.map(qualifiedName)) || "none";
      throw problem(`${name} is no name that this restore gives; name a collection as it is in the target (${made})`);
    }
    const alike = names.filter((other) => isNameOf(other, parseQualifiedName(name)));
    if (alike.length > 1) throw problem(`${alike.join(" and ")} name one collection; name it once`);
  }
}

function isNameOf(name: string, collection: CollectionName): boolean {
  return qualifiedName(parseQualifiedName(name)) === qualifiedName(collection);
}

/** The collection with the shards and the description that are asked for, and without what is left out. */
export function overrideCollection(create: CreateCollectionRequest, overrides: Overrides): CreateCollectionRequest {
  const { schema } = create;
  const { skipProperties = [], skipFieldParams = [], description = schema.description } = overrides;
  const overrideField = (field: FieldDescription): FieldDescription => ({
    ...field,
    typeParams: without(field.typeParams, skipFieldParams),
    indexParams: without(field.indexParams, skipFieldParams),
  });
  return {
    ...create,
    schema: {
      ...schema,
      description,
      properties: without(schema.properties, skipProperties),
      fields: schema.fields.map(overrideField),
      structArrayFields: schema.structArrayFields.map((field) => ({
        ...field,
        fields: field.fields.map(overrideField),
      })),
    },
    shards: shardsOf(create.shards, overrides),
    properties: without(create.properties, skipProperties),
    addedFields: create.addedFields.map(overrideField),
  };
}

/** @param inBackup how many shards the collection had */
export function shardsOf(inBackup: number, { shards, maxShards }: Overrides): number {
  return shards ?? Math.min(inBackup, maxShards ?? inBackup);
}

/**
 * The index without the parameters that are left out; a vector's, where AUTOINDEX is asked for, with its metric alone. Indexes of scalar
 * fields stay as they are, as milvus-backup's do.
 * @param create the collection with all its fields
 */
export function overrideIndex(
  index: CreateIndexRequest,
  { schema, addedFields }: CreateCollectionRequest,
  { autoIndex, skipIndexParams = [] }: Overrides,
): CreateIndexRequest {
  const fields = [...schema.fields, ...addedFields, ...schema.structArrayFields.flatMap((field) => field.fields)];
  const isOfVector = fields.some(({ name, dataType }) => name === index.fieldName && isVector(dataType));
  const entries = Object.entries(index.params);
  if (!autoIndex || !isOfVector) {
    return { ...index, params: Object.fromEntries(entries.filter(([key]) => !skipIndexParams.includes(key))) };
  }
  const metric = entries.filter(([key]) => key === "metric_type");
  return { ...index, params: Object.fromEntries([["index_type", "AUTOINDEX"], ...metric]) };
}

function without(values: readonly KeyValue[], keys: readonly string[]): KeyValue[] {
  return values.filter(({ key }) => !keys.includes(key));
}
