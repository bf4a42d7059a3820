import { formatDuration } from "../../src/page/format.ts";

/** Values as the pages and the terminal have them. */
export { countOf, formatBytes, formatCount, formatDuration, formatInstant, formatTime } from "../../src/page/format.ts";

/**
 * `under a minute`, `21 min`, `2 h 04 min`: an estimate tells no seconds.
 * @param about stands before a number
 */
export function formatMinutes(minutes: number, about = ""): string {
  const whole = Math.round(minutes);
  if (whole < 1) return "under a minute";
  return about + (whole < 60 ? `${whole} min` : formatDuration(whole * 60_000));
}

/** `$0.56`; less than a cent as such. */
export function formatDollars(dollars: number): string {
  return dollars < 0.01 ? "less than $0.01" : `$${dollars.toFixed(2)}`;
}
