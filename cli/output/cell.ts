import { stringify } from "lossless-json";

/** Characters of a value that a table shows. */
const longestCell = 40;
const shownNumbers = 3;

/** A value of a row as a table shows it: vectors and long texts shortened, on one line. */
export function formatCell(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (typeof value === "string") return shorten(oneLine(value));
  if (isVector(value)) {
    const shown = value.slice(0, shownNumbers).map((number) => Number(number.toPrecision(4)));
    return `[${shown.join(", ")}, ... ${value.length}]`;
  }
  return shorten(oneLine(stringify(value) ?? "-"));
}

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > shownNumbers && value.every((item) => typeof item === "number");
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what would move the cursor belongs in no table
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

function shorten(text: string): string {
  const characters = [...text.slice(0, 2 * longestCell)];
  return characters.length <= longestCell ? text : `${characters.slice(0, longestCell - 3).join("")}...`;
}
