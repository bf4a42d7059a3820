import { drawChart, looks as lineLooks } from "./chart.ts";
import type { Nightlies, NightliesResult } from "./nightlies.ts";

const [first, second, third] = lineLooks;
const looks = {
  plain: { ...first, type: "solid" },
  incremental: { ...second, type: "solid" },
  // dashed: it stores what plain backups store, and its line lies on theirs
  "milvus-backup": { ...third, type: "dashed" },
} as const satisfies Readonly<Record<Nightlies["tool"], object>>;

const megabyte = 1e6;

/** Thirty nights as an SVG: bytes stored on the left, seconds a night on the right. On white, whatever the page has. */
export function nightliesChart({ series, rows }: NightliesResult): string {
  const line = ({ tool, nights }: Nightlies, axis: number, value: (night: Nightlies["nights"][number]) => number) => ({
    name: tool,
    type: "line" as const,
    xAxisIndex: axis,
    yAxisIndex: axis,
    symbol: looks[tool].symbol,
    symbolSize: 6,
    color: looks[tool].color,
    lineStyle: { type: looks[tool].type },
    data: nights.map((night) => [night.day, value(night)]),
  });
  const option = {
    title: [
      { text: `Thirty nightlies of ${rows.toLocaleString("en-US")} rows`, left: "center", top: 8 },
      { text: "Stored by then, MB", left: 60, top: 44, textStyle: { fontSize: 13, fontWeight: "normal" } },
      { text: "The night's backup, s", left: 540, top: 44, textStyle: { fontSize: 13, fontWeight: "normal" } },
    ],
    legend: { bottom: 8, itemGap: 40, data: series.map(({ tool }) => tool) },
    grid: [
      { left: 60, width: 400, top: 76, bottom: 80 },
      { left: 540, width: 400, top: 76, bottom: 80 },
    ],
    xAxis: [0, 1].map((gridIndex) => ({
      gridIndex,
      type: "value" as const,
      name: "night",
      nameLocation: "middle" as const,
      nameGap: 26,
      min: 1,
      max: 30,
    })),
    yAxis: [0, 1].map((gridIndex) => ({ gridIndex, type: "value" as const, min: 0 })),
    series: [
      ...series.map((one) => line(one, 0, ({ storedBytes }) => storedBytes / megabyte)),
      ...series.map((one) => line(one, 1, ({ milliseconds }) => milliseconds / 1_000)),
    ],
  };
  return drawChart(option, { height: 420, label: described(series) });
}

/** The figure in words, for who cannot see it. */
function described(series: readonly Nightlies[]): string {
  const stored = series.map(({ tool, nights }) => {
    const [first = 0, last = 0] = [nights[0], nights.at(-1)].map((night) => (night?.storedBytes ?? 0) / megabyte);
    return `${tool} from ${first.toFixed(0)} to ${last.toFixed(0)} MB`;
  });
  return `Bytes stored after each of ${series[0]?.nights.length ?? 0} nights: ${stored.join(", ")}; beside them the seconds each night took`;
}
