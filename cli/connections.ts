import type { Connections } from "./context.ts";
import { createOutside, explaining } from "./outside.ts";
import { pipelineOf } from "./pipeline/stack.ts";

/**
 * The real outside of the command. Every SDK is imported when it is first needed, so that `--help` and bad input stay quick; every AWS error
 * is told in the command's own words.
 */
export function createConnections(env: Readonly<Record<string, string | undefined>>): Connections {
  return {
    ...createOutside(env),
    async pipeline(stack) {
      const { readStackOutputs } = await import("../src/adapters/stack-outputs.ts");
      const outputs = await explaining(env, `looking for the CloudFormation stack ${stack}`, () =>
        readStackOutputs(stack),
      );
      return pipelineOf(stack, outputs);
    },
    async payloads() {
      const { parquetPayloads } = await import("../src/adapters/parquet/payload-reader.ts");
      return parquetPayloads;
    },
  };
}
