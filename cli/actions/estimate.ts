import type { Environment } from "../../src/core/environment/environment.ts";
import type { RestoreInput } from "../../src/core/execution/messages.ts";
import { exactCount } from "../../src/core/format/exact-count.ts";
import { parseCollectionSelector } from "../../src/core/milvus/names.ts";
import { type CopyEstimate, prices } from "../../src/core/plan/estimate.ts";
import { estimateBackup } from "../../src/steps/backup/estimate-backup.ts";
import { estimateRestore } from "../../src/steps/restore/estimate-restore.ts";
import { findBackup } from "../../src/steps/shared/find-backup.ts";
import { estimateTransfer } from "../../src/steps/transfer/estimate-transfer.ts";
import type { CliContext } from "../context.ts";
import type { DocumentOf } from "../documents/index.ts";
import { countOf, formatBytes, formatCount, formatDollars, formatMinutes } from "../output/format.ts";
import type { Output } from "../output/output.ts";
import { formatPairs, formatTable } from "../output/table.ts";

interface Told {
  readonly context: CliContext;
  readonly output: Output;
}

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
  { context, output }: Told,
): Promise<void> {
  const { connections } = context;
  const store = await connections.openStore(environment, "milvus");
  const estimate = await connections.withMilvus(environment, (milvus) =>
    estimateBackup(environment, collections.map(parseCollectionSelector), { milvus, store }),
  );
  const unflushed = estimate.collections.reduce((sum, { unflushedRows }) => sum + unflushedRows, 0n);
  const warnings = [
    ...(unflushed > 0n
      ? [`${countOf(unflushed, "row")} lie in no object before a flush, which the backup does first: they come on top`]
      : []),
    ...(incremental
      ? ["an incremental backup copies only what is not stored yet: this is the most that it can be"]
      : []),
  ];
  const copies = estimate.streamed ? "streamed" : "server-side";
  tell({ ...estimate, of: "create", environment: environment.name, copies, warnings }, output);
}

/** Tells what a restore would stage and cost, by the metas of the backup and the version of the target; starts nothing. */
export async function estimateOfRestore(
  {
    environment,
    from,
    input,
  }: { readonly environment: Environment; readonly from: Environment; readonly input: RestoreInput },
  { context: { connections }, output }: Told,
): Promise<void> {
  const stored = await findBackup(await connections.openStore(from, "backup"), from.backupStorage, input.backupName);
  const estimate = await connections.withMilvus(environment, (milvus) =>
    estimateRestore(stored, { environment, from }, input, milvus),
  );
  const { backupName, verify } = input;
  const warnings = [
    ...estimate.warnings,
    ...(verify === "content"
      ? ["reading contents to compare them comes on top: verify --read-data tells its price"]
      : []),
  ];
  // It goes when the restore is over.
  tell({ ...estimate, of: "restore", environment: environment.name, backupName, dollarsAMonth: 0, warnings }, output);
}

/** Tells what a copy of a backup would move and cost, by its metas; starts nothing. */
export async function estimateOfCopy(
  {
    from,
    to,
    backupName,
    plain,
  }: { readonly from: Environment; readonly to: Environment; readonly backupName: string; readonly plain: boolean },
  { context: { connections }, output }: Told,
): Promise<void> {
  const stored = await findBackup(await connections.openStore(from, "backup"), from.backupStorage, backupName);
  const destination = await connections.openStore(to, "backup");
  const { isMost, ...estimate } = await estimateTransfer(stored, { to, destination }, { from, plain });
  const warnings = isMost
    ? ["what the destination holds already is not copied again: this is the most that it can be"]
    : [];
  tell({ ...estimate, of: "copy", environment: from.name, backupName, warnings }, output);
}

/** What `--estimate` of a verb has computed. */
interface Estimate
  extends CopyEstimate,
    Pick<
      DocumentOf<"estimate">,
      "of" | "environment" | "backupName" | "copies" | "imports" | "segments" | "objects" | "bytes" | "warnings"
    > {
  readonly collections: readonly {
    readonly collection: string;
    readonly to?: string;
    readonly segments: number;
    readonly objects: number;
    readonly bytes: number;
    readonly rows: bigint;
    readonly unflushedRows?: bigint;
  }[];
}

const how: Readonly<Record<Estimate["copies"], string>> = {
  "in-place": "nothing is copied: Milvus reads the backup where it lies",
  "server-side": "by the object store itself",
  streamed: "streamed through the Lambdas",
};

/** What comes on top of the copying. */
const besides: Readonly<Record<Estimate["of"], string>> = {
  create: ", and Milvus's flush",
  restore: ", and what Milvus takes to import it",
  copy: "",
};

function tell(estimate: Estimate, output: Output): void {
  const { of, environment, backupName, copies, imports, segments, objects, bytes } = estimate;
  const { requests, minutes, dollars, dollarsAMonth, warnings } = estimate;
  const document: DocumentOf<"estimate"> = {
    kind: "estimate",
    version: 1,
    of,
    environment,
    ...(backupName !== undefined && { backupName }),
    copies,
    collections: estimate.collections.map(({ collection, to, rows, unflushedRows, ...size }) => ({
      collection,
      ...(to !== undefined && { to }),
      segments: size.segments,
      objects: size.objects,
      bytes: size.bytes,
      rows: exactCount(rows, `rows of ${collection}`),
      ...(unflushedRows !== undefined && { unflushedRows: exactCount(unflushedRows, `rows of ${collection}`) }),
    })),
    ...(imports !== undefined && { imports }),
    ...{ segments, objects, bytes, requests, minutes, dollars, dollarsAMonth },
    prices: { region: prices.region, date: prices.date },
    warnings,
  };
  const renames = of === "restore";
  const table = formatTable(
    [
      { title: "COLLECTION" },
      ...(renames ? [{ title: "TO" }] : []),
      { title: "ROWS", align: "right" },
      { title: "SEGMENTS", align: "right" },
      { title: "OBJECTS", align: "right" },
      { title: "SIZE", align: "right" },
    ],
    estimate.collections.map((each) => [
      each.collection,
      ...(renames ? [each.to ?? ""] : []),
      formatCount(each.rows),
      formatCount(each.segments),
      formatCount(each.objects),
      formatBytes(each.bytes),
    ]),
  );
  const month = dollarsAMonth > 0 ? `, and ${formatDollars(dollarsAMonth)} a month in S3 Standard` : "";
  const totals = formatPairs([
    ["to copy", `${countOf(objects, "object")} of ${countOf(segments, "segment")}, ${formatBytes(bytes)}`],
    ["how", how[copies]],
    ...(imports === undefined ? [] : [["imports", formatCount(imports)] as const]),
    ["requests", formatCount(requests)],
    ["takes", `${formatMinutes(minutes)}${besides[of]}`],
    ["costs", `${formatDollars(dollars)}${month}`],
    ["prices", `list prices of ${prices.region}, ${prices.date}; traffic between regions comes on top`],
  ]);
  for (const warning of warnings) output.warn(warning);
  output.result(document, estimate.collections.length === 0 ? totals : `${table}\n\n${totals}`);
}
