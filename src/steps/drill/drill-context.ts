import type { MilvusContext } from "../../ports/step-context.ts";

/** What a step of a drill gets beside the usual: the executions of the machine `restore`, one of which it starts. */
export interface DrillContext extends MilvusContext {
  readonly restores: {
    /** The ARN of an execution of that name. */
    arnOf(name: string): string;
    /** Ends it where it runs; nothing where it is over, or never was. */
    stop(executionArn: string, reason: string): Promise<void>;
  };
}
