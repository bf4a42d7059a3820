import { BarChart, CustomChart, LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, MarkLineComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { html, raw } from "hono/html";
import type { Html } from "./document.ts";
import { details } from "./parts.ts";

use([BarChart, CustomChart, LineChart, ScatterChart, GridComponent, MarkLineComponent, SVGRenderer]);

/** The room that a figure has: it is drawn once for a desk and once for a hand, and the style sheet shows one of them. */
interface Room {
  readonly narrow: boolean;
  readonly width: number;
}

const rooms: readonly Room[] = [
  { narrow: false, width: 960 },
  { narrow: true, width: 340 },
];

interface FigureParts {
  /** The figure in words, for who cannot see it. */
  readonly label: string;
  /** Pixels. */
  readonly height: (room: Room) => number;
  readonly option: (room: Room) => EChartsCoreOption;
  readonly legend?: readonly LegendEntry[];
  readonly caption?: string | Html;
  /** The same as a table: every value can be read. */
  readonly table?: Html;
}

/** A figure that needs no script: drawn here, coloured by the page's own variables, so that it is light or dark as the page is. */
export function figure({ label, height, option, legend = [], caption, table }: FigureParts): Html {
  const drawings = rooms.map(
    (room) =>
      html`<div class="${room.narrow ? "narrow" : "wide"}" role="img" aria-label="${label}">${raw(draw(room, height(room), option(room)))}</div>`,
  );
  return html`<figure>${drawings}<figcaption>${caption ?? ""}${
    legend.length === 0
      ? ""
      : html`<ul class="legend">${legend.map(({ shape, color, text }) => html`<li>${sign(shape, color)} ${text}</li>`)}</ul>`
  }</figcaption></figure>${table === undefined ? "" : details("As a table", table)}`;
}

/** Shapes of marks, as echarts names them or as a path in a square of ten: no meaning hangs on a colour alone. */
const shapes = {
  box: "M0 0H10V10H0Z",
  outline: "M0.5 0.5H9.5V9.5H0.5Z",
  circle: "M5 0A5 5 0 1 1 5 10A5 5 0 1 1 5 0Z",
  diamond: "M5 0L10 5L5 10L0 5Z",
  cross: "M1.5 0L5 3.5L8.5 0L10 1.5L6.5 5L10 8.5L8.5 10L5 6.5L1.5 10L0 8.5L3.5 5L0 1.5Z",
  line: "M0 4H10V6H0Z",
} as const;
type Shape = keyof typeof shapes;

export interface LegendEntry {
  readonly shape: Shape;
  /** A variable of the style sheet. */
  readonly color: string;
  readonly text: string;
}

/** The same shape in a figure. */
export function symbolOf(shape: Shape): string {
  return `path://${shapes[shape]}`;
}

function sign(shape: Shape, color: string): Html {
  const edge = shape === "outline" ? 'stroke="var(--edge)"' : "";
  return html`<svg viewBox="0 0 10 10" aria-hidden="true" focusable="false"><path d="${shapes[shape]}" fill="${color}" ${raw(edge)}/></svg>`;
}

const base: EChartsCoreOption = {
  animation: false,
  // What is drawn does not change under a pointer: there is no script.
  silent: true,
  textStyle: { fontFamily: "system-ui, sans-serif", color: "var(--text)" },
};

/** What any axis looks like. */
export const axisLook = {
  axisLine: { lineStyle: { color: "var(--line)" } },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: "var(--line)" } },
  axisLabel: { color: "var(--muted)", fontSize: 12 },
  nameTextStyle: { color: "var(--muted)", fontSize: 12 },
} as const;

function draw({ width }: Room, height: number, option: EChartsCoreOption): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({ ...base, ...option });
    return (
      chart
        .renderToSVGString()
        // What only a script would use, and the tooltips' cursor. No text of ours: quotes are escaped there.
        .replace(/<style ?>.*?<\/style>/gs, "")
        .replace(/ (?:ecmeta_\w+|pointer-events|class)="[^"]*"/g, "")
        .replace(/^<svg width="\d+" height="\d+"/, '<svg aria-hidden="true" focusable="false"')
    );
  } finally {
    chart.dispose();
  }
}
