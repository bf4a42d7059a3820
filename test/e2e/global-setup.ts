import { stackForProject } from "../support/e2e/stack.ts";

/** The end-to-end tests run on the local stack, as a whole and with the pipeline deployed from the sources. */
export default async function setup(): Promise<() => Promise<void>> {
  return stackForProject();
}
