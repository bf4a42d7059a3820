/** How wide and high a vector is as a picture, in pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** A picture with what stands below it. */
interface Captioned {
  readonly lines: readonly string[];
  readonly caption: string;
}

/** By whether the upper and the lower pixel are set. */
const blocks = [
  [" ", "▄"],
  ["▀", "█"],
] as const;
const gap = "   ";

/**
 * A vector as a picture of half blocks, two rows of pixels a line: a pixel is set where its value is above the middle between the smallest and the
 * largest of the vector.
 * @param values row by row from the top, as many as the size has pixels
 */
export function drawPicture(values: readonly number[], { width, height }: PictureSize): string[] {
  const finite = values.filter(Number.isFinite);
  const [least, most] = finite.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const middle = (least + most) / 2;
  const isSet = (row: number, column: number) => (row < height && (values[row * width + column] ?? 0) > middle ? 1 : 0);
  return Array.from({ length: Math.ceil(height / 2) }, (_, line) =>
    Array.from({ length: width }, (_, column) => blocks[isSet(2 * line, column)][isSet(2 * line + 1, column)]).join(""),
  );
}

/** Pictures of one size beside each other, as many as a line has room for, with their captions below. */
export function formatPictures(pictures: readonly Captioned[], columns: number): string {
  const width = [...(pictures[0]?.lines[0] ?? "")].length;
  const perLine = Math.max(1, Math.floor((columns + gap.length) / (width + gap.length)));
  const rows = Array.from({ length: Math.ceil(pictures.length / perLine) }, (_, row) =>
    pictures.slice(row * perLine, (row + 1) * perLine),
  );
  return rows
    .map((row) => {
      const lines = row[0]?.lines.map((_, line) => row.map((one) => one.lines[line] ?? "").join(gap)) ?? [];
      const captions = row.map(({ caption }) => [...caption].slice(0, width).join("").padEnd(width)).join(gap);
      return [...lines, captions].map((line) => line.trimEnd()).join("\n");
    })
    .join("\n\n");
}
