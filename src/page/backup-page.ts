import { html } from "hono/html";
import type { BackupReport, ReportedCollection } from "../core/report/backup.ts";
import { bytesAxis, roundStep } from "./axes.ts";
import { axisLook, figure } from "./chart.ts";
import { type Html, pageOf, type Section, timeOf } from "./document.ts";
import { countOf, formatAge, formatBytes, formatCount } from "./format.ts";
import { badge, type Cell, details, facts, table, tiles, warningList } from "./parts.ts";
import { drillBadge, verificationBadge } from "./root-page.ts";

/** Bars that a figure of sizes has at most. */
const mostBars = 15;

/** One backup as a page. */
export function backupPage(report: BackupReport): Promise<string> {
  const { backupName, location, generatedAt, collections } = report;
  const sections: Section[] = [
    { id: "overview", title: "At a glance", body: glance(report) },
    ...(collections.length === 0
      ? []
      : [
          { id: "sizes", title: "What takes the room", body: sizeSection(report) },
          { id: "collections", title: "Collections", body: collectionSection(report) },
        ]),
    ...(report.segments > 0 ? [{ id: "segments", title: "Segments", body: segmentSection(report) }] : []),
  ];
  return pageOf({ title: `Backup ${backupName}`, subtitle: html`${location}`, generatedAt, sections });
}

function glance(report: BackupReport): Html {
  const { state, warnings, incremental, schedule, verification, drill, collections } = report;
  const count = collections.length + (report.otherCollections?.collectionCount ?? 0);
  const instants = collections.flatMap(({ instant }) => instant ?? []).sort();
  const [earliest, latest] = [instants[0], instants.at(-1)];
  return html`${tiles([
    { label: "Size", value: formatBytes(report.bytes), detail: "what it restores" },
    ...(incremental
      ? [
          {
            label: "New in it",
            value: formatBytes(incremental.newBytes),
            detail: countOf(incremental.newObjects, "object"),
          },
          ...(incremental.ownBytes === undefined
            ? []
            : [{ label: "Own", value: formatBytes(incremental.ownBytes), detail: "deleting it would free" }]),
        ]
      : []),
    { label: "Collections", value: formatCount(count) },
    { label: "Rows", value: formatCount(report.rows), detail: "deletes not subtracted" },
    { label: "Segments", value: formatCount(report.segments) },
  ])}
<h3 class="hidden">Facts</h3>
${facts([
  ["State", state === "complete" ? badge("good", "complete") : badge("warn", "incomplete: no full_meta.json")],
  ["T", earliest === undefined ? "none: not cut at an instant" : timeOf(earliest, { instant: true })],
  ["Last T", latest === undefined || latest === earliest ? undefined : timeOf(latest, { instant: true })],
  ["Flushed", report.createdAt === undefined ? undefined : timeOf(report.createdAt)],
  ["Verified", verificationBadge(verification?.last)],
  ["Last passed verification", lastPassed(verification)],
  ["Drilled", drillBadge(drill?.last)],
  ["Last passed drill", lastPassed(drill)],
  ["Why the drill failed", drill?.last.reason],
  ["Recovery time", drill?.last.rtoSeconds === undefined ? undefined : formatAge(drill.last.rtoSeconds)],
  ["Made by", schedule ? `schedule ${schedule.name} of ${schedule.environment}` : "hand"],
  ["Kind", incremental ? "incremental: its segments lie where others share them" : "plain"],
  ["Milvus", report.milvusVersion || undefined],
])}
${warningList(warnings)}${collections.length === 0 ? html`<p>It holds no collections.</p>` : ""}`;
}

/** Where the last one failed: when the one before it passed. */
function lastPassed(proof: BackupReport["verification"] | BackupReport["drill"]): Html | undefined {
  if (proof === undefined || proof.last.outcome === "passed") return undefined;
  return proof.lastPassed === undefined ? html`never` : timeOf(proof.lastPassed.at);
}

interface SizedBar {
  readonly name: string;
  readonly bytes: number;
}

function sizeSection({ collections, otherCollections, bytes }: BackupReport): Html {
  const bars = collections.map(({ collection, bytes: size }): SizedBar => ({ name: collection, bytes: size }));
  const partitions = collections
    .flatMap((collection) =>
      collection.partitions.length + (collection.otherPartitions?.partitionCount ?? 0) < 2
        ? []
        : collection.partitions.map((partition) => ({
            name: `${collection.collection} / ${partition.partition}`,
            bytes: partition.bytes,
          })),
    )
    .sort((a, b) => b.bytes - a.bytes);
  return html`${sizeFigure("collection", bars, bytes, (otherCollections?.collectionCount ?? 0) + bars.length)}${
    partitions.length > 0 ? sizeFigure("partition", partitions, bytes, partitions.length) : ""
  }`;
}

function sizeFigure(noun: string, all: readonly SizedBar[], whole: number, count: number): Html {
  const shown = all.slice(0, mostBars);
  const largest = Math.max(1, ...shown.map(({ bytes }) => bytes));
  const part = (bytes: number) => `${whole === 0 ? 0 : Math.round((100 * bytes) / whole)} %`;
  return figure({
    label: `Size of the ${count > shown.length ? `${shown.length} largest of ${countOf(count, noun)}` : countOf(count, noun)}: ${shown
      .slice(0, 5)
      .map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`)
      .join(", ")}`,
    height: ({ narrow }) => 40 + shown.length * (narrow ? 42 : 30),
    option: ({ narrow }) => ({
      grid: { left: narrow ? 8 : 260, right: narrow ? 20 : 130, top: narrow ? 12 : 4, bottom: 30 },
      xAxis: bytesAxis(largest, narrow),
      yAxis: {
        type: "category",
        inverse: true,
        data: shown.map(({ name }) => name),
        ...axisLook,
        axisLabel: { show: !narrow, color: "var(--text)", width: 245, overflow: "truncate" },
      },
      series: [
        {
          type: "bar",
          barWidth: 14,
          barMinHeight: 2,
          itemStyle: { color: "var(--own)" },
          // On a phone the name stands above its bar: there is no room beside it.
          label: {
            show: true,
            position: narrow ? [0, -16] : "right",
            color: "var(--text)",
            width: narrow ? 310 : 125,
            overflow: "truncate",
            formatter: ({ dataIndex }: { dataIndex: number }) => {
              const { name, bytes } = shown[dataIndex] ?? { name: "", bytes: 0 };
              return `${narrow ? `${name}  ` : ""}${formatBytes(bytes)} (${part(bytes)})`;
            },
          },
          data: shown.map(({ bytes }) => bytes),
        },
      ],
    }),
    caption:
      count > shown.length
        ? `The ${shown.length} largest of ${countOf(count, noun)}.`
        : `${noun.charAt(0).toUpperCase()}${noun.slice(1)}s by size.`,
    table: table({
      caption: `Size of each ${noun}`,
      columns: [{ title: noun }, { title: "Size", right: true }, { title: "Part", right: true }],
      rows: all.map(({ name, bytes }): Cell[] => [name, formatBytes(bytes), part(bytes)]),
    }),
  });
}

function collectionSection({ collections, otherCollections }: BackupReport): Html {
  const rest =
    otherCollections === undefined
      ? ""
      : html`<p class="note">${countOf(otherCollections.collectionCount, "smaller collection")} not shown one by one:
${formatBytes(otherCollections.bytes)}, ${countOf(otherCollections.rows, "row")}, ${countOf(otherCollections.segments, "segment")}.</p>`;
  return html`${table({
    caption: "Collections, largest first",
    columns: [
      { title: "Collection" },
      { title: "T" },
      { title: "Rows", right: true },
      { title: "Segments", right: true },
      { title: "Size", right: true },
      { title: "Deletes", right: true },
      { title: "Loaded" },
      { title: "Indexes" },
      { title: "Aliases" },
    ],
    rows: collections.map((collection): Cell[] => [
      collection.collection,
      collection.instant === undefined ? "none" : timeOf(collection.instant, { instant: true }),
      formatCount(collection.rows),
      formatCount(collection.segments),
      formatBytes(collection.bytes),
      formatBytes(collection.deleteBytes),
      loadText(collection.loadState),
      collection.indexes.map(({ field, type }) => `${field} ${type}`).join(", ") || "none",
      collection.aliases.join(", ") || "–",
    ]),
  })}${rest}${collections.map(collectionDetails)}`;
}

function loadText(state: string): string {
  if (state === "Loaded") return "yes";
  return state === "Loading" ? "loading" : "no";
}

function collectionDetails(collection: ReportedCollection): Html {
  const { collection: name, fields, indexes, partitions, otherPartitions } = collection;
  const body = html`${facts([
    ["Description", collection.description],
    ["ID", html`<code>${collection.id}</code>`],
    ["Shards", formatCount(collection.shards)],
    ["Dynamic fields", collection.dynamicFields ? "yes" : "no"],
  ])}
<h3>Schema of ${name}</h3>
${table({
  caption: `Fields of ${name}`,
  columns: [{ title: "Field" }, { title: "Type" }, { title: "Attributes" }, { title: "Description" }],
  rows: fields.map((field): Cell[] => [
    field.field,
    field.type,
    field.attributes.join(", ") || "–",
    field.description || "–",
  ]),
})}
<h3>Indexes of ${name}</h3>
${
  indexes.length === 0
    ? html`<p>None.</p>`
    : table({
        caption: `Indexes of ${name}`,
        columns: [{ title: "Field" }, { title: "Index" }, { title: "Type" }, { title: "Parameters" }],
        rows: indexes.map((index): Cell[] => [
          index.field,
          index.index,
          index.type,
          index.parameters.join(", ") || "–",
        ]),
      })
}
<h3>Partitions of ${name}</h3>
${table({
  caption: `Partitions of ${name}`,
  columns: [
    { title: "Partition" },
    { title: "Rows", right: true },
    { title: "Segments", right: true },
    { title: "Size", right: true },
    { title: "Loaded" },
  ],
  rows: [
    ...partitions.map((partition): Cell[] => [
      partition.partition,
      formatCount(partition.rows),
      formatCount(partition.segments),
      formatBytes(partition.bytes),
      partition.loaded ? "yes" : "no",
    ]),
    ...(otherPartitions
      ? [
          [
            `${formatCount(otherPartitions.partitionCount)} smaller`,
            formatCount(otherPartitions.rows),
            formatCount(otherPartitions.segments),
            formatBytes(otherPartitions.bytes),
            "–",
          ],
        ]
      : []),
  ],
})}`;
  return details(`${name}: schema, indexes, partitions`, body);
}

function segmentSection({ sizes, largestSegments, segments }: BackupReport): Html {
  const most = Math.max(...sizes.map((size) => size.segments));
  const step = Math.max(1, roundStep(most / 4));
  const nameOf = ({ from, to }: (typeof sizes)[number]) => `${binary(from)} to ${binary(to)}`;
  return html`${figure({
    label: `${countOf(segments, "segment")} by size: ${sizes.map((size) => `${formatCount(size.segments)} of ${nameOf(size)}`).join(", ")}`,
    height: ({ narrow }) => (narrow ? 230 : 260),
    option: ({ narrow }) => ({
      grid: { left: 52, right: 14, top: 22, bottom: narrow ? 74 : 40 },
      xAxis: {
        type: "category",
        data: sizes.map(({ to }) => `< ${binary(to)}`),
        ...axisLook,
        splitLine: { show: false },
        axisLabel: { ...axisLook.axisLabel, interval: 0, rotate: narrow || sizes.length > 10 ? 55 : 0 },
      },
      yAxis: { type: "value", min: 0, max: Math.ceil(most / step) * step, interval: step, ...axisLook },
      series: [
        {
          type: "bar",
          barWidth: sizes.length > 3 ? "72%" : 64,
          barMinHeight: 2,
          itemStyle: { color: "var(--own)" },
          label: {
            show: sizes.length <= 14,
            position: "top",
            color: "var(--text)",
            formatter: ({ value }: { value: number }) => (value === 0 ? "" : formatCount(value)),
          },
          data: sizes.map((size) => size.segments),
        },
      ],
    }),
    caption: "How many segments are of which size.",
    table: table({
      caption: "Segments by size",
      columns: [{ title: "Size" }, { title: "Segments", right: true }, { title: "Together", right: true }],
      rows: sizes.map((size): Cell[] => [nameOf(size), formatCount(size.segments), formatBytes(size.bytes)]),
    }),
  })}
<h3>${segments > largestSegments.length ? `The ${largestSegments.length} largest` : "By size"}</h3>
${table({
  caption: "Largest segments",
  columns: [
    { title: "Segment" },
    { title: "Collection" },
    { title: "Partition" },
    { title: "Rows", right: true },
    { title: "Size", right: true },
    { title: "Deletes", right: true },
  ],
  rows: largestSegments.map((segment): Cell[] => [
    html`<code>${segment.id}</code>`,
    segment.collection,
    segment.partition || "all",
    segment.isL0 ? "–" : formatCount(segment.rows),
    formatBytes(segment.bytes),
    segment.isL0 ? countOf(segment.rows, "delete") : formatBytes(segment.deleteBytes),
  ]),
})}`;
}

/** `16 KiB`: the classes are powers of two. */
function binary(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const power = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${bytes / 1024 ** power} ${units[power]}`;
}
