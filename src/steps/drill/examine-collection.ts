import { isReadable } from "../../core/binlog/values.ts";
import { countOf } from "../../core/execution/count-of.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import type { DrilledCollection, RestoredCollection } from "../../core/execution/messages.ts";
import { dataTypeName, isVector } from "../../core/milvus/data-types.ts";
import type { CollectionDescription, FieldDescription, IndexDescription } from "../../core/milvus/descriptions.ts";
import { parseQualifiedName } from "../../core/milvus/names.ts";
import { features } from "../../core/milvus/version.ts";
import { countProblem } from "../../core/plan/drill.ts";
import { anyVector, isSearchable, searchParams } from "../../core/plan/drill-search.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { CollectionRows } from "../rows/collection-rows.ts";
import { compareRows } from "./compare-rows.ts";
import { type RowSample, sampleOf } from "./sample-rows.ts";
import { searchVectors } from "./search-vectors.ts";

/** A collection that a drill restored, as it stands in Milvus. */
export interface MadeCollection {
  readonly restored: RestoredCollection;
  readonly description: CollectionDescription;
  readonly indexes: readonly IndexDescription[];
  /** Vector fields without an index: Milvus loads none that has one. */
  readonly withoutIndex: readonly string[];
}

/**
 * Looks at what a restore made.
 * @throws TargetExists where another collection has its name by now: it is not loaded, not searched and not dropped
 */
export async function lookAtMade(milvus: Milvus, restored: RestoredCollection): Promise<MadeCollection> {
  const name = parseQualifiedName(restored.to);
  const description = await milvus.describeCollection(name);
  if (description.id !== restored.id) {
    throw new PipelineError(
      "TargetExists",
      `${restored.to} in Milvus at ${milvus.address} is not the collection that the drill made any more: somebody made another one`,
    );
  }
  const indexes = await milvus.listIndexes(name);
  const isIndexed = ({ name: field }: FieldDescription) => indexes.some(({ fieldName }) => fieldName === field);
  const vectors = description.schema.fields.filter(({ dataType }) => isVector(dataType));
  return {
    restored,
    description,
    indexes,
    withoutIndex: vectors.filter((field) => !isIndexed(field)).map(({ name: field }) => field),
  };
}

/** Asks a loaded collection for any vector: it is searchable when it answers. */
export async function isAnswering(milvus: Milvus, { description, indexes }: MadeCollection): Promise<void> {
  for (const { name, dataType, typeParams } of description.schema.fields) {
    const type = dataTypeName(dataType);
    const index = indexes.find(({ fieldName }) => fieldName === name);
    const { metric_type: metricType = "", index_type: indexType = "" } = index?.params ?? {};
    const dim = Number(typeParams.find(({ key }) => key === "dim")?.value);
    if (index === undefined || !isSearchable(type, metricType)) continue;
    const params = searchParams(indexType, 1);
    await milvus.search(description.name, {
      ...{ field: name, type, metricType, limit: 1, params },
      vectors: [anyVector(type, dim)],
    });
    return;
  }
  await milvus.countRows(description.name);
}

/**
 * Compares a restored collection with the backup: rows counted by a query, a sample of rows field by field, searches for their vectors.
 * @param seed what the sample depends on
 * @returns what was seen, and sentences about what is wrong
 * @throws CorruptBackup where the backup's own rows cannot be read, and what Milvus and the store throw
 */
export async function examineCollection(
  milvus: Milvus,
  made: MadeCollection,
  rows: CollectionRows,
  seed: string,
): Promise<{ drilled: DrilledCollection; problems: readonly string[] }> {
  const { restored, description, withoutIndex } = made;
  const { from, to, id, rows: brought } = restored;
  const seen = { from, to, id, rows: brought, compared: 0, fields: [], searched: [] };
  if (withoutIndex.length > 0) {
    const leftOut = `it is not loaded, compared or searched: the backup has no index of ${withoutIndex.join(", ")}`;
    return { drilled: { ...seen, leftOut: [leftOut] }, problems: [] };
  }
  const { name } = description;
  const counted = await milvus.countRows(name);
  const problem = countProblem(BigInt(brought), counted, rows.hasLevelZero);
  const problems = problem === undefined ? [] : [problem];
  const looked = await lookAtRows(milvus, made, { rows, counted }, seed);
  problems.push(...looked.problems);
  return {
    drilled: { ...seen, counted: counted.toString(), ...looked.seen },
    problems: problems.map((it) => `${from}: ${it}`),
  };
}

async function lookAtRows(
  milvus: Milvus,
  { description, indexes }: MadeCollection,
  { rows, counted }: { readonly rows: CollectionRows; readonly counted: bigint },
  seed: string,
) {
  const answering = new Set(
    description.schema.fields.filter(({ isFunctionOutput }) => !isFunctionOutput).map((field) => field.name),
  );
  const isAsked = ({ name, isDynamic }: (typeof rows.fields)[number]) => isDynamic || answering.has(name);
  const fields = rows.fields.filter((field) => isReadable(field) && isAsked(field));
  const leftOut = rows.fields
    .filter((field) => !fields.includes(field))
    .map(
      ({ name, type }) => `${name} (${type}) is not compared: it is not read from backups, or not answered by queries`,
    );
  const nothing = { compared: 0, fields: [], searched: [] };
  let sampled: RowSample;
  try {
    sampled = await sampleOf(rows, fields, seed);
  } catch (error) {
    if (!(error instanceof PipelineError) || error.name !== "UnsupportedData") throw error;
    return { seen: { ...nothing, leftOut: [`rows are not compared or searched: ${error.message}`] }, problems: [] };
  }
  const { rows: sample, complete, segments } = sampled;
  if (sample.length === 0) {
    const none = complete
      ? "it holds none"
      : `no row lives in the ${countOf(segments, "segment", ["that was", "that were"])} looked through`;
    return {
      seen: { ...nothing, leftOut: [...leftOut, `rows are not compared or searched: ${none}`] },
      problems: complete && counted > 0n ? [`a query counts ${counted} rows, and no row of the backup lives`] : [],
    };
  }
  const { name } = description;
  const asked = features(await milvus.version()).queriedVectors
    ? fields
    : fields.filter(({ dataType }) => !isVector(dataType));
  const compared = await compareRows(milvus, name, rows, sample, asked);
  const unanswered = fields.filter((field) => !compared.fields.includes(field.name)).map((field) => field.name);
  if (unanswered.length > 0) leftOut.push(`${unanswered.join(", ")} not compared: Milvus does not answer it`);
  const problems = [...compared.problems];
  const searched = [];
  for (const field of fields) {
    const index = indexes.find(({ fieldName }) => fieldName === field.name);
    if (index === undefined || !isVector(field.dataType)) continue;
    const one = await searchVectors(milvus, name, { field, index, primaryKey: rows.primaryKey }, sample);
    if (one.searched) searched.push(one.searched);
    if (one.leftOut !== undefined) leftOut.push(one.leftOut);
    problems.push(...one.problems);
  }
  return { seen: { compared: sample.length, fields: compared.fields, searched, leftOut }, problems };
}
