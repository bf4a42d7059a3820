/** How many things a message names where nobody says otherwise. */
const named = 10;

/**
 * `a, b, and 7 more`: a list in a message that stays readable, and below what Step Functions takes as the cause of a failure,
 * however long it is.
 */
export function shortList(texts: readonly string[], options: { limit?: number; separator?: string } = {}): string {
  const { limit = named, separator = ", " } = options;
  const shown = texts.slice(0, limit).join(separator);
  return texts.length > limit ? `${shown}${separator}and ${texts.length - limit} more` : shown;
}
