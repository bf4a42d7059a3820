import * as echarts from "echarts";
import prettyBytes from "pretty-bytes";
import { textTable } from "../measure/text-table.ts";
import { seconds } from "../measure/times-table.ts";
import type { Grown, GrownStep, GrowthResult } from "./growth.ts";
import { machineText } from "./options.ts";

/** Steps that read a file for the next one: nothing of a function. */
const isStep = ({ step }: GrownStep) => !step.endsWith("read items");

/** Every step of every size, as a table. */
export function growthText({ machine, sizes }: GrowthResult): string {
  const rows = sizes.flatMap(({ segments, steps }) =>
    steps
      .filter(isStep)
      .map(({ step, invocations, milliseconds, peakBytes, payloadBytes }) => [
        step,
        count(segments),
        count(invocations),
        seconds(milliseconds),
        prettyBytes(peakBytes, { binary: true }),
        prettyBytes(payloadBytes, { binary: true }),
      ]),
  );
  const table = textTable(["step", "segments", "invocations", "in all", "most memory of one", "largest payload"], rows);
  return `${machineText(machine)}\n\n${table}`;
}

/** Okabe and Ito's colours, which people with any kind of colour vision tell apart; each line has a symbol of its own too. */
const looks = [
  { color: "#0072B2", symbol: "circle" },
  { color: "#D55E00", symbol: "rect" },
  { color: "#009E73", symbol: "triangle" },
  { color: "#CC79A7", symbol: "diamond" },
  { color: "#E69F00", symbol: "pin" },
  { color: "#56B4E9", symbol: "arrow" },
  { color: "#000000", symbol: "roundRect" },
] as const;

const drawn = [
  "backup: prepare",
  "backup: copy",
  "backup: finalize",
  "verify: prepare",
  "restore: prepare",
  "restore: copy",
  "restore: recreate",
];

/** Time and memory against the number of segments, both axes logarithmic, as an SVG. On white, whatever the page has. */
export function growthChart({ sizes }: GrowthResult): string {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 960, height: 460 });
  const of = ({ steps }: Grown, name: string) => steps.find(({ step }) => step === name);
  const lines = (axis: number, value: (step: GrownStep) => number, least: number) =>
    drawn.map((name, index) => ({
      name,
      type: "line" as const,
      xAxisIndex: axis,
      yAxisIndex: axis,
      symbolSize: 7,
      ...looks[index],
      data: sizes.flatMap((size) => {
        const step = of(size, name);
        return step ? [[size.segments, Math.max(least, value(step))]] : [];
      }),
    }));
  const title = (text: string, left: number) => ({
    text,
    left,
    top: 44,
    textStyle: { fontSize: 13, fontWeight: "normal" as const },
  });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: [
      { text: "100 to 100,000 segments", left: "center", top: 8 },
      title("All invocations of a step, s", 60),
      title("Memory of one invocation, MiB", 540),
    ],
    legend: { bottom: 8, itemGap: 18, data: drawn },
    grid: [
      { left: 60, width: 400, top: 76, bottom: 110 },
      { left: 540, width: 400, top: 76, bottom: 110 },
    ],
    xAxis: [0, 1].map((gridIndex) => ({
      gridIndex,
      type: "log" as const,
      name: "segments",
      nameLocation: "middle" as const,
      nameGap: 26,
      min: 100,
      max: 100_000,
    })),
    yAxis: [0, 1].map((gridIndex) => ({ gridIndex, type: "log" as const })),
    series: [
      ...lines(0, ({ milliseconds }) => milliseconds / 1_000, 0.01),
      ...lines(1, ({ peakBytes }) => peakBytes / 2 ** 20, 0.1),
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg.replace(/^<svg /, `<svg role="img" aria-label="${described(sizes)}" `);
}

/** The figure in words, for who cannot see it. */
function described(sizes: readonly Grown[]): string {
  const largest = sizes.at(-1);
  const steps = (largest?.steps ?? [])
    .filter(({ step }) => drawn.includes(step))
    .map(
      ({ step, milliseconds, peakBytes }) =>
        `${step} ${seconds(milliseconds)}, ${prettyBytes(peakBytes, { binary: true })}`,
    );
  return `Time and memory of each step against the number of segments; of ${count(largest?.segments ?? 0)}: ${steps.join("; ")}`;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
