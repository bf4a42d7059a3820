import { readFileSync } from "node:fs";
import { parse } from "yaml";
import type { RestoreInput } from "../src/core/execution/messages.ts";
import { parseTargetSelector } from "../src/core/milvus/names.ts";
import { parseRenames } from "../src/core/milvus/renames.ts";
import { inputOfPlan, type RestorePlanFile } from "../src/core/plan/restore-plan-file.ts";
import { CliError } from "./errors.ts";

/**
 * Reads a restore plan of milvus-backup, in YAML or JSON.
 * @param plan the name of its file, or what somebody read already
 * @throws Usage where there is no such file, or no YAML in it; InvalidInput naming what is wrong in the plan
 */
export function readRestorePlan(
  plan: string | RestorePlanFile,
): Pick<RestoreInput, "renames" | "targets" | "overrides"> {
  const input = inputOfPlan(typeof plan === "string" ? readYaml(plan) : plan);
  parseRenames(input.renames ?? {});
  input.targets?.forEach(parseTargetSelector);
  return input;
}

function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError("Usage", `--plan ${file} cannot be read: ${reason} (docs/restore-plan.md)`, { cause: error });
  }
}
