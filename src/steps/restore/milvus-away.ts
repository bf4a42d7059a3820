import { PipelineError } from "../../core/execution/errors.ts";

/**
 * Whether a fault says that Milvus does not answer, or is not ready. In the loops of a restore it has answered earlier in the execution, so
 * that is a restart or an outage, which a loop outlasts: it looks again later.
 */
export function isMilvusAway(error: unknown): error is PipelineError {
  return error instanceof PipelineError && (error.name === "MilvusUnreachable" || error.name === "MilvusBusy");
}
