/** Starts executions of one state machine, each name once. */
export interface ExecutionStarter {
  /** `already-started`: an execution of that name runs, or ran in the last 90 days; nothing was started. */
  startOnce(name: string, input: object): Promise<"started" | "already-started">;
}
