/** How many seconds after so many have passed. */
function waitAfter(passed: number): number {
  if (passed < 40) return 1;
  return Math.min(Math.max(2, Math.floor(passed / 20) - 4), 120);
}

/**
 * How long a machine waits between two looks at what Milvus does in the background, in seconds: 2 at most in the first two minutes, then 5
 * percent of the time that passed, up to two minutes. So the end is seen soon however long it took, and a week takes about 5,200 rounds.
 * @param round from 0 on
 * @param passed seconds that had passed before the first round
 */
export function roundWait(round: number, passed = 0): number {
  let seconds = passed;
  for (let nth = 0; nth < round; nth += 1) seconds += waitAfter(seconds);
  return waitAfter(seconds);
}
