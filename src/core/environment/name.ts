import { PipelineError } from "../execution/errors.ts";

/** An environment's name becomes a part of a secret's name, of keys and of command lines. */
const characters = "A-Za-z0-9_.-";
const longest = 100;

/** What the name of an environment looks like. */
export const environmentNamePattern = new RegExp(`^[${characters}]{1,${longest}}$`);

/** Throws InvalidInput where a name cannot be an environment's. */
export function checkEnvironmentName(name: string): string {
  if (!environmentNamePattern.test(name)) {
    throw new PipelineError(
      "InvalidInput",
      `environment ${JSON.stringify(name)} is not a valid name: use 1 to ${longest} characters of [${characters}]`,
      { details: { key: "environment" } },
    );
  }
  return name;
}

/** A text as the name of an environment: other characters become `-`, what is too long is cut; "" stays "". */
export function toEnvironmentName(text: string): string {
  return text.replace(new RegExp(`[^${characters}]`, "g"), "-").slice(0, longest);
}
