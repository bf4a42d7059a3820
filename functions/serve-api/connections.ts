import type { Connections } from "../../cli/context.ts";
import { createOutside } from "../../cli/outside.ts";
import type { Pipeline } from "../../cli/pipeline/stack.ts";
import { openWorkStore } from "../../src/adapters/store-opener.ts";
import { workPrefixes } from "../../src/core/execution/work-layout.ts";
import { checkAllowed } from "../../src/steps/shared/allowed.ts";
import { allowedHere } from "../shared/allowed-here.ts";
import { variable } from "../shared/variable.ts";

/** Of one request to AWS: two of them fit into what a request of the API may take. */
const awsPatience = { maxAttempts: 2, requestHandler: { connectionTimeout: 2_000, socketTimeout: 4_000 } };

/**
 * The outside as the deployment gives it to the function: nothing of it is asked of CloudFormation.
 * @param environment that the API is about
 */
export function functionConnections(environment: string): Connections {
  const outside = createOutside(process.env, awsPatience);
  const pipeline: Pipeline = {
    stack: variable("STACK_NAME"),
    backupStateMachineArn: variable("BACKUP_STATE_MACHINE_ARN"),
    restoreStateMachineArn: variable("RESTORE_STATE_MACHINE_ARN"),
    workBucket: variable("WORK_BUCKET"),
    environmentsPrefix: variable("ENVIRONMENTS_PREFIX"),
    schedules: [],
  };
  const allowed = allowedHere();
  return {
    ...outside,
    inPipelineNetwork: true,
    pipeline: async () => pipeline,
    async executions() {
      const executions = await outside.executions();
      return {
        ...executions,
        async start(request) {
          // a first step would refuse it too, when nobody waits for an answer any more
          checkAllowed(
            allowed,
            request.stateMachineArn === pipeline.backupStateMachineArn
              ? { backup: environment }
              : { restore: environment, read: environment },
          );
          return executions.start(request);
        },
      };
    },
    workStore: async ({ workBucket }) => openWorkStore(workBucket, undefined, workPrefixes.readers),
    payloads: async () => Promise.reject(new Error("the API reads no rows")),
    caller: async () => `the role of the function ${pipeline.stack}-serve-api`,
  };
}
