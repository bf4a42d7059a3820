import { PipelineError } from "../execution/errors.ts";
import type { Environment } from "./environment.ts";

/**
 * Whether what changes or removes something of an environment was meant: a protected one is named twice.
 * @param what is refused: `nothing is restored into it`
 * @throws EnvironmentProtected, and InvalidInput where another one is named the second time
 */
export function checkConfirmed(
  { name, protected: isProtected }: Pick<Environment, "name" | "protected">,
  confirm: string | undefined,
  what: string,
): void {
  if (confirm !== undefined && confirm !== name) {
    throw new PipelineError("InvalidInput", `confirm names ${confirm}, and this is about environment ${name}`, {
      details: { key: "confirm" },
    });
  }
  if (!isProtected || confirm === name) return;
  throw new PipelineError(
    "EnvironmentProtected",
    `environment ${name} is protected (backup.protected in its backup.yaml): ${what} unless it is named twice. ` +
      `If that is meant, say "confirm": "${name}" in the input (--confirm ${name})`,
    { details: { environment: name, key: "confirm" } },
  );
}
