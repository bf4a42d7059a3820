/** Time as a step sees it, so that tests need not wait. */
export interface Clock {
  now(): Date;
  sleep(milliseconds: number): Promise<void>;
}
