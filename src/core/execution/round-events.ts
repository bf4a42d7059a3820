/**
 * How many events a round of a loop adds to the history of its execution, which may have 25,000: the step 5, the choice behind it, the wait
 * and the counting 2 each, and 3 (scheduled, started, failed) for each try before the one that answers.
 * @param retries of the step in this round, as the machine counts them
 */
export function roundEvents(retries = 0): number {
  return 11 + 3 * retries;
}
