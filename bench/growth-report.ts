import prettyBytes from "pretty-bytes";
import { textTable } from "../measure/text-table.ts";
import { seconds } from "../measure/times-table.ts";
import { drawChart, looks } from "./chart.ts";
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
  const option = {
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
  };
  return drawChart(option, { height: 460, label: described(sizes) });
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
