import type { RestoreInput } from "../execution/messages.ts";
import type {
  CollectionName,
  CreateCollectionRequest,
  CreateIndexRequest,
  IndexDescription,
} from "../milvus/descriptions.ts";

/** The indexes that a collection is to have that is there already (`skipCreate`). */
export interface WantedIndexes {
  /** Whether those that stand in their place are dropped for them; otherwise they stay. */
  readonly replace: boolean;
  readonly indexes: readonly CreateIndexRequest[];
  /** An empty collection of the same schema, on which they are tried before any other is dropped. */
  readonly trial: CreateCollectionRequest;
}

/**
 * @param indexes the backup's, as they are asked for
 * @param create what would make the collection
 * @returns undefined where the indexes of the collection stay as they are
 */
export function wantedIndexes(
  indexes: readonly CreateIndexRequest[],
  create: CreateCollectionRequest,
  trial: CollectionName,
  { skipCreate, existingIndexes = "keep" }: Pick<RestoreInput, "skipCreate" | "existingIndexes">,
): WantedIndexes | undefined {
  if (!skipCreate || existingIndexes === "keep") return undefined;
  const { partitionCount, schema, ...rest } = create;
  return {
    replace: existingIndexes === "replace",
    indexes,
    trial: {
      ...rest,
      name: trial,
      schema: { ...schema, name: trial.collection },
      // as few as can be: nothing is ever written into it
      shards: 1,
      ...(partitionCount !== undefined && { partitionCount: 1 }),
    },
  };
}

/** What is to be done to a collection for its indexes to be those that are wanted. */
export interface IndexChanges {
  /** Indexes to make, each after those that stand in its place are dropped. */
  readonly make: readonly { readonly index: CreateIndexRequest; readonly drop: readonly IndexDescription[] }[];
  /** What stays that the backup has none of: nothing better would take its place. */
  readonly extra: readonly IndexDescription[];
  /** Names of wanted indexes that others bear which stay: Milvus gives a name once in a collection. */
  readonly clashes: readonly string[];
}

/** @param isNew whether an index was made since the restore began: it stays as it is */
export function indexChanges(
  { indexes, replace }: WantedIndexes,
  existing: readonly IndexDescription[],
  isNew: (index: IndexDescription) => boolean = () => false,
): IndexChanges {
  const inPlaceOf = (index: CreateIndexRequest) => existing.filter((one) => placeOf(one) === placeOf(index));
  const make = indexes.flatMap((index) => {
    const drop = inPlaceOf(index);
    const stays = drop.some((one) => isNew(one) || hasParams(one, index.params)) || (drop.length > 0 && !replace);
    return stays ? [] : [{ index, drop }];
  });
  const places = new Set(indexes.map(placeOf));
  const dropped = new Set(make.flatMap(({ drop }) => drop));
  const clashes = make.flatMap(({ index: { indexName, fieldName } }) =>
    existing
      .filter(
        (one) => indexName !== "" && one.indexName === indexName && !(dropped.has(one) && one.fieldName === fieldName),
      )
      .map((one) => `${indexName} (on ${one.fieldName}, and in the backup on ${fieldName})`),
  );
  return { make, clashes, extra: replace ? existing.filter((one) => !places.has(placeOf(one))) : [] };
}

/** What a place holds one index of: a field, or a path of a JSON field. */
export function placeOf({ fieldName, params }: Pick<CreateIndexRequest, "fieldName" | "params">): string {
  return JSON.stringify([fieldName, params.json_path ?? ""]);
}

/** Whether an index has these parameters, and no others; whatever it is called: none is built anew for a name. */
export function hasParams(existing: IndexDescription, params: CreateIndexRequest["params"]): boolean {
  const keys = new Set([...Object.keys(params), ...Object.keys(existing.params)]);
  return [...keys].every((key) => existing.params[key] === params[key]);
}
