const doublingSeconds = 30;
const longestSeconds = 120;

/**
 * How long a machine waits between two looks at what Milvus does in the background, in seconds. Doubles up to half a minute, then grows by a
 * second a round up to two minutes: who is looked at for hours is not noticed minutes late after a few of them, and a week takes about
 * 5,100 rounds.
 * @param round from 0 on
 */
export function roundWait(round: number): number {
  return Math.min(2 ** round, doublingSeconds + round, longestSeconds);
}
