import type { FunctionEnvironment } from "../../src/core/execution/function-environment.ts";

/** Reads an environment variable that the deployment sets. */
export function variable(name: keyof FunctionEnvironment): string {
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is not set`);
  return value;
}
