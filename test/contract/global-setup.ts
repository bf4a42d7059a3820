import { stackForProject } from "../support/e2e/stack.ts";

/** The contract tests run on the servers of the local stack; they need no deployed pipeline. */
export default async function setup(): Promise<() => Promise<void>> {
  return stackForProject({ deploy: false });
}
