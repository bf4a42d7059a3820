import type { CustomSeriesRenderItemAPI, CustomSeriesRenderItemReturn } from "echarts";
import { html } from "hono/html";
import type { ExecutionReport, ReportedBatches, ReportedStep, Span } from "../core/report/execution.ts";
import { roundStep } from "./axes.ts";
import { axisLook, figure, type LegendEntry } from "./chart.ts";
import { type Html, pageOf, type Section, timeOf } from "./document.ts";
import { countOf, formatBytes, formatCount, formatDuration } from "./format.ts";
import { badge, type Cell, facts, type Tone, table, tiles, warningList } from "./parts.ts";

/** One execution as a page. */
export function executionPage(report: ExecutionReport): Promise<string> {
  const { executionName, machine, generatedAt, steps, batches, input } = report;
  const sections: Section[] = [
    { id: "overview", title: "At a glance", body: glance(report) },
    ...(steps.length > 0 ? [{ id: "states", title: "States", body: stateSection(report) }] : []),
    ...(batches ? [{ id: "batches", title: "Batches", body: batchSection(batches, report) }] : []),
    {
      id: "input",
      title: "Input",
      body: html`<pre tabindex="0" role="region" aria-label="Input of the execution">${JSON.stringify(input, undefined, 2) ?? "none"}</pre>`,
    },
  ];
  return pageOf({
    title: `Execution ${executionName}`,
    subtitle: html`State machine ${machine}`,
    generatedAt,
    sections,
  });
}

const tones: Readonly<Record<ExecutionReport["state"], Tone>> = {
  succeeded: "good",
  running: "plain",
  failed: "bad",
  "timed-out": "bad",
  aborted: "bad",
};

function glance(report: ExecutionReport): Html {
  const { state, copies, batches, retries, warnings, error, startedAt, stoppedAt, executionArn } = report;
  return html`${tiles([
    { label: "State", value: state, tone: tones[state] },
    { label: stoppedAt === undefined ? "Running for" : "Took", value: formatDuration(report.milliseconds) },
    ...(copies
      ? [
          {
            label: "Copied",
            value: formatBytes(copies.bytes),
            detail: `${countOf(copies.objects, "object")}, ${countOf(copies.segments, "segment")}`,
          },
          {
            label: "Throughput",
            value: `${formatBytes(Math.round(copies.bytesPerSecond))}/s`,
            detail: `${formatCount(Math.round(copies.objectsPerSecond))} objects/s over ${formatDuration(copies.seconds * 1000)}`,
          },
        ]
      : []),
    ...(batches ? [{ label: "Batches", value: formatCount(batches.total), detail: outcomeOf(batches) }] : []),
    { label: "Retries", value: formatCount(retries), tone: retries > 0 ? ("warn" as const) : ("plain" as const) },
    {
      label: "Warnings",
      value: formatCount(warnings.length),
      tone: warnings.length > 0 ? ("warn" as const) : ("plain" as const),
    },
  ])}
<h3 class="hidden">Facts</h3>
${facts([
  ["Started", timeOf(startedAt)],
  ["Stopped", stoppedAt === undefined ? undefined : timeOf(stoppedAt)],
  ["Were there before", copies && copies.skippedObjects > 0 ? countOf(copies.skippedObjects, "object") : undefined],
  ["ARN", html`<code>${executionArn}</code>`],
])}
${error ? html`<h3>Why it failed</h3><p>${badge("bad", error.name)} ${error.message}</p>` : ""}
${warnings.length > 0 ? html`<h3>Warnings</h3>${warningList(warnings)}` : ""}`;
}

function outcomeOf({ failed, running }: ReportedBatches): string {
  const parts = [
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
    ...(running > 0 ? [`${formatCount(running)} running`] : []),
  ];
  return parts.join(", ") || "all succeeded";
}

function stateSection({ steps, startedAt, milliseconds }: ExecutionReport): Html {
  const lanes = steps.map(({ step, spans, errors, milliseconds: time }) => ({
    label: step,
    spans,
    failed: Object.keys(errors).length > 0,
    note: formatDuration(time),
  }));
  const longest = steps.reduce((a, b) => (b.milliseconds > a.milliseconds ? b : a));
  return ganttFigure({
    label: `${countOf(steps.length, "state")} over ${formatDuration(milliseconds)}; the longest is ${longest.step} with ${formatDuration(longest.milliseconds)}.`,
    lanes,
    from: Date.parse(startedAt),
    milliseconds,
    legend: [
      { shape: "box", color: "var(--own)", text: "in this state" },
      ...(lanes.some(({ failed }) => failed)
        ? [{ shape: "diamond" as const, color: "var(--failed)", text: "an attempt in it failed" }]
        : []),
    ],
    caption: "When the execution was in which state, from its start.",
    table: stateTable(steps),
  });
}

function stateTable(steps: readonly ReportedStep[]): Html {
  return table({
    caption: "States of the execution",
    columns: [
      { title: "State" },
      { title: "Time", right: true },
      { title: "Visits", right: true },
      { title: "Retries", right: true },
      { title: "Failed attempts" },
    ],
    rows: steps.map(({ step, milliseconds, visits, retries, errors }): Cell[] => [
      step,
      formatDuration(milliseconds),
      formatCount(visits),
      formatCount(retries),
      Object.entries(errors)
        .map(([error, count]) => `${error} (${formatCount(count)})`)
        .join(", ") || "none",
    ]),
  });
}

function batchSection(batches: ReportedBatches, { startedAt, milliseconds }: ExecutionReport): Html {
  const { shown, total, concurrency } = batches;
  const from = Date.parse(startedAt);
  const lanes = shown.map((batch, index) => ({
    label: batch.batch ?? `batch ${index + 1}`,
    spans: [batch],
    failed: tones[batch.state] === "bad",
    note: `${formatDuration(batch.milliseconds)}${batch.bytes === undefined ? "" : `, ${formatBytes(batch.bytes)}`}`,
  }));
  const part =
    shown.length < total ? `The ${shown.length} that failed or took longest of ${countOf(total, "batch")}.` : "";
  return html`${facts([
    ["Median", formatDuration(batches.medianMilliseconds)],
    ["Longest", formatDuration(batches.longestMilliseconds)],
    [
      "Retries",
      total > shown.length ? `${formatCount(batches.retries)} in the batches below` : formatCount(batches.retries),
    ],
  ])}${total > 1 ? concurrencyFigure(concurrency, from, milliseconds) : ""}${ganttFigure({
    label: `${countOf(shown.length, "batch")} on a time line; the longest took ${formatDuration(batches.longestMilliseconds)}, ${countOf(batches.failed, "batch")} failed.`,
    lanes,
    from,
    milliseconds,
    legend: [
      { shape: "box", color: "var(--own)", text: "batch" },
      ...(batches.failed > 0 ? [{ shape: "diamond" as const, color: "var(--failed)", text: "failed" }] : []),
    ],
    caption: `${part} From the start of the execution.`,
    table: table({
      caption: "Batches one by one",
      columns: [
        { title: "Batch" },
        { title: "State" },
        { title: "Began" },
        { title: "Time", right: true },
        { title: "Segments", right: true },
        { title: "Objects", right: true },
        { title: "Bytes", right: true },
        { title: "A second", right: true },
        { title: "Retries", right: true },
      ],
      rows: shown.map((batch, index): Cell[] => [
        batch.batch ?? `batch ${index + 1}`,
        badge(tones[batch.state], batch.state),
        `+${formatDuration(Date.parse(batch.from) - from)}`,
        formatDuration(batch.milliseconds),
        batch.segments === undefined ? "–" : formatCount(batch.segments),
        batch.objects === undefined ? "–" : formatCount(batch.objects),
        batch.bytes === undefined ? "–" : formatBytes(batch.bytes),
        batch.bytes === undefined || batch.milliseconds === 0
          ? "–"
          : `${formatBytes(Math.round((batch.bytes * 1000) / batch.milliseconds))}`,
        batch.retries === undefined ? "–" : formatCount(batch.retries),
      ]),
    }),
  })}`;
}

function concurrencyFigure(points: ReportedBatches["concurrency"], from: number, milliseconds: number): Html {
  const most = Math.max(1, ...points.map(({ running }) => running));
  const step = Math.max(1, roundStep(most / 3));
  return figure({
    label: `Batches running at once: at most ${most}.`,
    height: () => 150,
    option: ({ narrow }) => ({
      grid: { left: 40, right: 20, top: 12, bottom: 26 },
      xAxis: sinceStart(milliseconds, narrow),
      yAxis: { type: "value", min: 0, max: Math.ceil(most / step) * step, interval: step, ...axisLook },
      series: [
        {
          type: "line",
          step: "end",
          symbol: "none",
          lineStyle: { color: "var(--own)", width: 2 },
          areaStyle: { color: "var(--whole)" },
          data: points.map(({ at, running }) => [Date.parse(at) - from, running]),
        },
      ],
    }),
    caption: "How many batches ran at once.",
  });
}

interface Lane {
  readonly label: string;
  readonly spans: readonly Span[];
  readonly failed: boolean;
  readonly note: string;
}

interface GanttParts {
  readonly label: string;
  readonly lanes: readonly Lane[];
  /** Start of the execution, and how long it took. */
  readonly from: number;
  readonly milliseconds: number;
  readonly legend: readonly LegendEntry[];
  readonly caption: string;
  readonly table: Html;
}

const laneHeight = 26;
const barHeight = 14;

/** Lanes with bars from when to when; a lane that failed has a sign of its own at its end. */
function ganttFigure({ lanes, from, milliseconds, label, legend, caption, table: asTable }: GanttParts): Html {
  const bars = lanes.flatMap((lane, index) =>
    lane.spans.map((span) => [index, Date.parse(span.from) - from, Date.parse(span.to) - from]),
  );
  const ends = lanes.map(({ spans }) => Math.max(0, ...spans.map(({ to }) => Date.parse(to) - from)));
  const bar = (_: unknown, api: CustomSeriesRenderItemAPI): CustomSeriesRenderItemReturn => {
    const [lane, begin, end] = [0, 1, 2].map((dimension) => Number(api.value(dimension)));
    const [left = 0, y = 0] = api.coord([begin, lane]);
    const [right = 0] = api.coord([end, lane]);
    const width = Math.max(2, right - left);
    return {
      type: "rect",
      shape: { x: left, y: y - barHeight / 2, width, height: barHeight, r: 2 },
      style: { fill: "var(--own)" },
    };
  };
  return figure({
    label,
    height: ({ narrow }) => 36 + lanes.length * (narrow ? laneHeight + 14 : laneHeight),
    option: ({ narrow }) => ({
      grid: { left: narrow ? 8 : 190, right: narrow ? 16 : 110, top: narrow ? 14 : 4, bottom: 28 },
      xAxis: sinceStart(milliseconds, narrow),
      yAxis: {
        type: "category",
        inverse: true,
        data: lanes.map((lane) => lane.label),
        ...axisLook,
        axisLabel: { show: !narrow, color: "var(--text)", width: 178, overflow: "truncate" },
      },
      series: [
        { type: "custom", renderItem: bar, encode: { x: [1, 2], y: 0 }, data: bars },
        {
          type: "scatter",
          symbol: "diamond",
          symbolSize: 11,
          itemStyle: { color: "var(--failed)" },
          data: lanes.flatMap(({ failed }, index) => (failed ? [[ends[index] ?? 0, index]] : [])),
        },
        {
          // What each lane took stands right of it; on a phone with its name above it.
          type: "scatter",
          symbolSize: 1,
          itemStyle: { color: "none", opacity: 1 },
          label: {
            show: true,
            position: narrow ? [0, -20] : "right",
            distance: 10,
            color: "var(--text)",
            formatter: ({ dataIndex }: { dataIndex: number }) => {
              const { label: name, note } = lanes[dataIndex] ?? { label: "", note: "" };
              return narrow ? `${name}  ${note}` : note;
            },
          },
          data: lanes.map((_, index) => [narrow ? 0 : (ends[index] ?? 0), index]),
        },
      ],
    }),
    legend,
    caption,
    table: asTable,
  });
}

/** From 0 to the end, in round times. */
function sinceStart(milliseconds: number, narrow: boolean) {
  const most = narrow ? 3 : 8;
  const units = [100, 1_000, 60_000, 3_600_000, 86_400_000];
  const steps = units.flatMap((unit) => [1, 2, 5, 10, 15, 30].map((times) => unit * times)).sort((a, b) => a - b);
  const interval = steps.find((step) => milliseconds / step <= most) ?? roundStep(milliseconds / most);
  return {
    type: "value" as const,
    min: 0,
    max: Math.max(1, milliseconds),
    interval,
    ...axisLook,
    axisLabel: {
      ...axisLook.axisLabel,
      showMaxLabel: milliseconds % interval === 0,
      formatter: (value: number) => (value === 0 ? "0" : formatDuration(value)),
    },
  };
}
