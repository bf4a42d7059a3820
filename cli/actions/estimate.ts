import type { Environment } from "../../src/core/environment/environment.ts";
import { exactCount } from "../../src/core/format/exact-count.ts";
import { parseCollectionSelector } from "../../src/core/milvus/names.ts";
import { prices } from "../../src/core/plan/estimate.ts";
import { estimateBackup } from "../../src/steps/backup/estimate-backup.ts";
import type { CliContext } from "../context.ts";
import type { DocumentOf } from "../documents/index.ts";
import { countOf, formatBytes, formatCount, formatDollars, formatMinutes } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { formatPairs, formatTable } from "../output/table.ts";

/** What is to be estimated. */
interface EstimateRequest {
  readonly environment: Environment;
  /** Selectors; everything where absent. */
  readonly collections: readonly string[] | undefined;
  readonly incremental: boolean;
}

/** Tells what a backup would copy and cost: asks Milvus and its bucket from this machine, flushes and starts nothing. */
export async function estimateCreate(
  { environment, collections = [], incremental }: EstimateRequest,
  { context, output }: { readonly context: CliContext; readonly output: Output },
): Promise<void> {
  const { connections } = context;
  const store = await connections.openStore(environment, "milvus");
  const estimate = await connections.withMilvus(environment, (milvus) =>
    estimateBackup(environment, collections.map(parseCollectionSelector), { milvus, store }),
  );
  const { segments, objects, bytes, requests, minutes, dollars, dollarsAMonth, streamed } = estimate;
  const unflushed = estimate.collections.reduce((sum, { unflushedRows }) => sum + unflushedRows, 0n);
  const warnings = [
    ...(unflushed > 0n
      ? [`${countOf(unflushed, "row")} lie in no object before a flush, which the backup does first: they come on top`]
      : []),
    ...(incremental
      ? ["an incremental backup copies only what is not stored yet: this is the most that it can be"]
      : []),
  ];
  const document: DocumentOf<"estimate"> = {
    kind: "estimate",
    version: 1,
    environment: environment.name,
    copies: streamed ? "streamed" : "server-side",
    collections: estimate.collections.map(({ unflushedRows, ...collection }) => ({
      ...collection,
      rows: exactCount(collection.rows, `rows of ${collection.collection}`),
      unflushedRows: exactCount(unflushedRows, `rows of ${collection.collection}`),
    })),
    segments,
    objects,
    bytes,
    requests,
    minutes,
    dollars,
    dollarsAMonth,
    prices: { region: prices.region, date: prices.date },
    warnings,
  };
  const table = formatTable(
    [
      { title: "COLLECTION" },
      { title: "ROWS", align: "right" },
      { title: "SEGMENTS", align: "right" },
      { title: "OBJECTS", align: "right" },
      { title: "SIZE", align: "right" },
    ],
    estimate.collections.map((each) => [
      each.collection,
      formatCount(each.rows),
      formatCount(each.segments),
      formatCount(each.objects),
      formatBytes(each.bytes),
    ]),
  );
  const totals = formatPairs([
    ["to copy", `${countOf(objects, "object")} of ${countOf(segments, "segment")}, ${formatBytes(bytes)}`],
    ["how", streamed ? "streamed through the Lambdas" : "by the object store itself"],
    ["requests", formatCount(requests)],
    ["takes", `${formatMinutes(minutes)}, and Milvus's flush`],
    ["costs", `${formatDollars(dollars)}, and ${formatDollars(dollarsAMonth)} a month in S3 Standard`],
    ["prices", `list prices of ${prices.region}, ${prices.date}; traffic between regions comes on top`],
  ]);
  for (const warning of warnings) output.warn(warning);
  output.result(document, estimate.collections.length === 0 ? totals : `${table}\n\n${totals}`);
}
