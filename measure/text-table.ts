import Table from "cli-table3";

const noBorders = Object.fromEntries(
  ["top", "bottom", "left", "right", "mid"].flatMap((side) =>
    [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((name) => [name, ""]),
  ),
);

/**
 * A table without borders.
 * @param words indices of the columns that hold words, aligned to the left; the others hold figures
 */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  words: readonly number[] = [0],
): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, index) => (words.includes(index) ? "left" : "right")),
    chars: { ...noBorders, middle: "   " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}
