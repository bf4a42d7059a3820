import prettyBytes from "pretty-bytes";

export { countOf, formatCount } from "../core/execution/count-of.ts";

/** `1.2 MB`; with 64-bit sizes as bigint. */
export function formatBytes(bytes: number | bigint): string {
  return prettyBytes(bytes);
}

/** `0.8 s`, `12 s`, `3 min 05 s`, `2 h 04 min`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${two(whole % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** `2026-11-21 11:03:07 UTC`. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `2026-11-21 11:03:07.412 UTC`: an instant is told to the millisecond. */
export function formatInstant(time: Date): string {
  return `${time.toISOString().slice(0, 23).replace("T", " ")} UTC`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** `2026-11-21 11:03 UTC`. */
export function formatMinute(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

const ages = [
  { below: 3_600, unit: 60, name: "min" },
  { below: 48 * 3_600, unit: 3_600, name: "h" },
  { below: Number.POSITIVE_INFINITY, unit: 86_400, name: "days" },
] as const;

/** `12 min`, `26 h`, `9 days`: how old something is. */
export function formatAge(seconds: number): string {
  const { unit, name } = ages.find(({ below }) => seconds < below) ?? ages[2];
  return `${Math.floor(Math.max(0, seconds) / unit)} ${name}`;
}
