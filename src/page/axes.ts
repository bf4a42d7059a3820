import { axisLook } from "./chart.ts";
import { formatBytes } from "./format.ts";

const day = 86_400_000;

/** An axis of times, with as many labels as there is room for and some air at its ends. */
export function timeAxis(times: readonly number[], narrow: boolean) {
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const air = Math.max((to - from) * 0.03, 30 * 60_000);
  const ticks = ticksBetween(from - air, to + air, narrow ? 3 : 7);
  return {
    type: "value" as const,
    min: from - air,
    max: to + air,
    ...axisLook,
    splitLine: { show: false },
    axisTick: { show: true, lineStyle: { color: "var(--line)" }, customValues: ticks.at },
    axisLabel: { ...axisLook.axisLabel, customValues: ticks.at, formatter: ticks.format },
  };
}

/** Round times in UTC: hours, days or months, whichever are few enough. */
function ticksBetween(from: number, to: number, most: number) {
  const hour = 3_600_000;
  const steps = [hour / 4, hour, 3 * hour, 6 * hour, 12 * hour, day, 2 * day, 7 * day, 14 * day];
  const step = steps.find((length) => (to - from) / length <= most);
  if (step !== undefined) {
    const first = Math.ceil(from / step) * step;
    return {
      at: Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, index) => first + index * step),
      format: (time: number) => new Date(time).toISOString().slice(step < day ? 11 : 5, step < day ? 16 : 10),
    };
  }
  const months = Math.ceil((to - from) / (30 * day) / most);
  const at: number[] = [];
  const start = new Date(from);
  for (let month = start.getUTCMonth() + 1; ; month += months) {
    const time = Date.UTC(start.getUTCFullYear(), month, 1);
    if (time > to) return { at, format: (value: number) => new Date(value).toISOString().slice(0, 7) };
    at.push(time);
  }
}

/** An axis of sizes from 0, with round figures in the units that people read. */
export function bytesAxis(largest: number, narrow: boolean) {
  const step = roundStep(Math.max(1, largest) / (narrow ? 3 : 4));
  return {
    type: "value" as const,
    min: 0,
    max: Math.ceil(Math.max(1, largest) / step) * step,
    interval: step,
    ...axisLook,
    axisLabel: { ...axisLook.axisLabel, formatter: (value: number) => formatBytes(value) },
  };
}

/** 1, 2 or 5 times a power of ten, not less than a number. */
export function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((times) => times * power >= least) ?? 10) * power;
}
