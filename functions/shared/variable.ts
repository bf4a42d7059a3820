import type { FunctionEnvironment } from "../../src/core/execution/function-environment.ts";

/** undefined where it is not set. */
export function optionalVariable(name: keyof FunctionEnvironment): string | undefined {
  return process.env[name] || undefined;
}

/** Reads an environment variable that the deployment sets. */
export function variable(name: keyof FunctionEnvironment): string {
  const value = process.env[name];
  if (!value) throw new Error(`the environment variable ${name} is not set`);
  return value;
}
