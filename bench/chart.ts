import * as echarts from "echarts";

/** Okabe and Ito's colours, which people with any kind of colour vision tell apart; each line has a symbol of its own too. */
export const looks = [
  { color: "#0072B2", symbol: "circle" },
  { color: "#D55E00", symbol: "rect" },
  { color: "#009E73", symbol: "triangle" },
  { color: "#CC79A7", symbol: "diamond" },
  { color: "#E69F00", symbol: "pin" },
  { color: "#56B4E9", symbol: "arrow" },
  { color: "#000000", symbol: "roundRect" },
] as const;

/**
 * Draws a figure as an SVG, 960 wide. On white, whatever the page has.
 * @param figure.label the figure in words, for who cannot see it
 */
export function drawChart(
  option: echarts.EChartsCoreOption,
  { height, label }: { height: number; label: string },
): string {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 960, height });
  chart.setOption({ animation: false, backgroundColor: "#ffffff", ...option });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg.replace(/^<svg /, `<svg role="img" aria-label="${label}" `);
}
