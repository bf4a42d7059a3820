import type { RowField } from "../../core/binlog/row-fields.ts";
import type { SearchedField } from "../../core/execution/messages.ts";
import type { CollectionName, IndexDescription } from "../../core/milvus/descriptions.ts";
import {
  foundItself,
  hasLength,
  isSearchable,
  recallOf,
  requiredShare,
  type SampleVector,
  searchParams,
} from "../../core/plan/drill-search.ts";
import type { Milvus } from "../../ports/milvus.ts";
import { keyFilter } from "./compare-rows.ts";
import type { SampledRow } from "./sample-rows.ts";

/** Neighbours that are asked for. */
const limit = 10;

/** What the searches in one vector field came to: figures, or why there are none; and what is wrong. */
interface Searched {
  readonly searched?: SearchedField;
  readonly leftOut?: string;
  readonly problems: readonly string[];
}

/**
 * Searches a restored collection for vectors of the backup: each must find itself first, and a search among the rows of the sample must find
 * what brute force finds there.
 */
export async function searchVectors(
  milvus: Milvus,
  name: CollectionName,
  {
    field,
    index,
    primaryKey,
  }: { readonly field: RowField; readonly index: IndexDescription; readonly primaryKey: RowField },
  sample: readonly SampledRow[],
): Promise<Searched> {
  const { type } = field;
  const { index_type: indexType = "", metric_type: metricType = "" } = index.params;
  if (!isSearchable(type, metricType)) {
    return {
      leftOut: `${field.name} (${type}, ${metricType || "no metric"}) is not searched: brute force does not know it here`,
      problems: [],
    };
  }
  const vectors = sample.flatMap((row): SampleVector[] => {
    const bytes = row.stored(field);
    return bytes instanceof Uint8Array && hasLength(type, bytes) ? [{ key: row.key, bytes }] : [];
  });
  if (vectors.length === 0)
    return { leftOut: `${field.name} is not searched: the sample has no vector in it`, problems: [] };
  const of = { type, metricType, limit };
  const request = {
    field: field.name,
    type,
    metricType,
    vectors: vectors.map(({ bytes }) => bytes),
    limit,
    params: searchParams(indexType, limit),
  };
  const among = Math.min(limit, vectors.length);
  const hits = await milvus.search(name, request);
  const found = vectors.filter((vector, at) => foundItself(of, vector, hits[at] ?? [])).length;
  const filter = keyFilter(primaryKey.name, vectors);
  const recall = recallOf(
    { ...of, limit: among },
    vectors,
    await milvus.search(name, { ...request, limit: among, filter }),
  );
  const required = requiredShare(indexType);
  const what = `of ${field.name} (${indexType}, ${metricType})`;
  const problems: string[] = [];
  if (found < required * vectors.length) {
    problems.push(`${found} of ${vectors.length} vectors ${what} find themselves first; ${required * 100} % must`);
  }
  if (recall < required) {
    problems.push(
      `a search among the sample ${what} finds ${Math.round(recall * 100)} % of what brute force finds; ${required * 100} % must be`,
    );
  }
  const queries = vectors.length;
  return { searched: { field: field.name, indexType, metricType, queries, found, recall }, problems };
}
