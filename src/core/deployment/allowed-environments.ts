import * as z from "zod";
import { environmentNamePattern } from "../environment/name.ts";

const names = z
  .array(z.string().regex(environmentNamePattern, { error: "use 1 to 100 of [A-Za-z0-9_.-]" }))
  .min(1, { error: "is empty, so that no execution could do anything: name environments, or leave the key out" });

/**
 * What executions of a deployment may name. IAM tells who may start a machine, never with which input: whoever may start one reaches
 * these environments, and those where a list is absent.
 */
export const allowedEnvironments = z.strictObject({
  /** Backed up. */
  backup: names.optional(),
  /** Restored into, by drills and triggers too. */
  restore: names.optional(),
  /** Copied into the backup bucket of, or exported into the store of. */
  transfer: names.optional(),
  /** From whose backup bucket restores, drills, transfers, exports and verifications read. */
  read: names.optional(),
});
export type AllowedEnvironments = Readonly<z.infer<typeof allowedEnvironments>>;
export type EnvironmentUse = keyof AllowedEnvironments;

/** Why an environment may not be used so; undefined where it may. */
export function problemOfUse(allowed: AllowedEnvironments, use: EnvironmentUse, name: string): string | undefined {
  const listed = allowed[use];
  if (listed === undefined || listed.includes(name)) return undefined;
  return `environment ${name} is not among allowedEnvironments.${use} of this deployment's pipeline.yaml, which has: ${listed.join(", ")}`;
}
