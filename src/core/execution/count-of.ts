/** `10,000`; for counts, with 64-bit ones as bigint. */
export function formatCount(count: number | bigint): string {
  return count.toLocaleString("en-US");
}

/** `1 segment`, `80 segments`, `2 batches`; with a verb behind the noun: `1 segment is`, `80 segments are`. */
export function countOf(
  count: number | bigint,
  noun: string,
  [one, many]: readonly [string, string] = ["", ""],
): string {
  const isOne = count === 1 || count === 1n;
  const plural = isOne ? "" : /(?:ch|s)$/.test(noun) ? "es" : "s";
  const verb = isOne ? one : many;
  return `${formatCount(count)} ${noun}${plural}${verb && ` ${verb}`}`;
}

export const isOrAre = ["is", "are"] as const;
export const wasOrWere = ["was", "were"] as const;
