import { injectLambdaContext } from "@aws-lambda-powertools/logger/middleware";
import { MetricUnit } from "@aws-lambda-powertools/metrics";
import { logMetrics } from "@aws-lambda-powertools/metrics/middleware";
import middy from "@middy/core";
import type * as z from "zod";
import { parseRequest } from "../../src/core/execution/parse-request.ts";
import type { StepContext } from "../../src/ports/step-context.ts";
import { countResult, logger, metrics } from "./observability.ts";
import { reportErrors } from "./report-error.ts";

/** A step of a state machine, as `src/steps` has it. */
export type Step<Request, Result, Context extends StepContext> = (
  request: Request,
  context: Context,
) => Promise<Result>;

/**
 * The handler of a function that runs one step: parses the event with `schema`, calls the step, counts its result. The event is never
 * logged.
 * @throws InvalidInput, and what the step throws, as a StepFailure
 */
export function stepHandler<Schema extends z.ZodType, Result extends object, Context extends StepContext>(
  schema: Schema,
  step: Step<z.output<Schema>, Result, Context>,
  context: Context,
) {
  return observedHandler(async (event) => step(parseRequest(schema, event), context));
}

/** What every function has around it: log context, metrics, errors as Step Functions needs them. */
export function observedHandler<Result extends object>(handle: (event: unknown) => Promise<Result>) {
  return (
    // A time limit of middy's own would hide Lambda's, by whose name the state machines try again.
    middy<unknown, Result>({ timeoutEarlyInMillis: 0 })
      .use(injectLambdaContext(logger, { resetKeys: true }))
      .use(logMetrics(metrics, { captureColdStartMetric: true }))
      .use(reportErrors(logger))
      .handler(async (event) => {
        logger.appendKeys({ execution: executionNameOf(event) });
        const began = performance.now();
        let failures = 1;
        try {
          const result = await handle(event);
          failures = 0;
          countResult(result);
          return result;
        } finally {
          metrics.addMetric("Duration", MetricUnit.Milliseconds, performance.now() - began);
          metrics.addMetric("Failures", MetricUnit.Count, failures);
        }
      })
  );
}

/** Every request names its execution: as text (Copy Segments) or in its reference. */
function executionNameOf(event: unknown): string | undefined {
  if (typeof event !== "object" || event === null || !("execution" in event)) return undefined;
  const { execution } = event;
  if (typeof execution === "string") return execution;
  if (typeof execution === "object" && execution !== null && "name" in execution) return String(execution.name);
  return undefined;
}
