import * as z from "zod";
import { PipelineError } from "../execution/errors.ts";
import type { RestoreInput } from "../execution/messages.ts";
import { describeIssues } from "../execution/parse-request.ts";
import { defaultDatabase, wholeDatabase } from "../milvus/names.ts";

const name = z.string().min(1);

/** What a collection is made with; zero and empty stand for what the backup has, as milvus-backup reads them. */
const override = z.strictObject({
  shardNum: z.number().int().min(0).optional(),
  description: z.string().optional(),
});

/**
 * A restore plan of milvus-backup (`restorePlan` of its REST request, 0.5.16): which collection of the backup becomes which of the target, with
 * how many shards and which description, and which of what is made so is wanted.
 */
export const restorePlanFile = z.strictObject({
  mapping: z
    .array(
      z.strictObject({
        /** Databases, in the backup and in the target. */
        source: name,
        target: name,
        /** Properties of a database that is made are always those of the backup. */
        withProp: z.boolean().optional(),
        /** Absent or empty: every collection of the database that nothing else names. */
        colls: z.array(z.strictObject({ source: name, target: name, override: override.optional() })).optional(),
      }),
    )
    .optional(),
  /** By database of the target: its collections, or `*`. */
  filter: z.record(z.string(), z.strictObject({ colls: z.array(name).optional() })).optional(),
});
export type RestorePlanFile = z.infer<typeof restorePlanFile>;

/**
 * The plan as a restore takes it.
 * @throws InvalidInput naming the key of the plan where it is none, or picks nothing
 */
export function inputOfPlan(plan: unknown): Pick<RestoreInput, "renames" | "targets" | "overrides"> {
  const parsed = restorePlanFile.safeParse(plan);
  if (!parsed.success) throw invalid(describeIssues(restorePlanFile, parsed.error).join("; "));
  const { mapping = [], filter = {} } = parsed.data;
  const renames = new Map<string, Set<string>>();
  const overrides: NonNullable<RestoreInput["overrides"]> = {};
  const rename = (from: string, to: string) => renames.set(from, (renames.get(from) ?? new Set()).add(to));
  for (const { source, target, colls = [] } of mapping) {
    if (colls.length === 0) rename(`${source}.${wholeDatabase}`, `${target}.${wholeDatabase}`);
    for (const coll of colls) {
      const to = `${target}.${coll.target}`;
      rename(`${source}.${coll.source}`, to);
      const { shardNum = 0, description = "" } = coll.override ?? {};
      if (shardNum === 0 && description === "") continue;
      overrides[to] = { ...(shardNum > 0 && { shards: shardNum }), ...(description !== "" && { description }) };
    }
  }
  const targets = Object.entries(filter).flatMap(([database, { colls = [] }]) =>
    colls.map((coll) => `${database || defaultDatabase}.${coll}`),
  );
  if (targets.length === 0 && Object.keys(filter).length > 0) {
    throw invalid('filter picks no collection; name some, or all of a database: {"db": {"colls": ["*"]}}');
  }
  return {
    ...(renames.size > 0 && { renames: Object.fromEntries([...renames].map(([from, to]) => [from, [...to]])) }),
    ...(targets.length > 0 && { targets }),
    ...(Object.keys(overrides).length > 0 && { overrides }),
  };
}

function invalid(problem: string): PipelineError {
  return new PipelineError("InvalidInput", `restore plan: ${problem}`, { details: { key: "plan" } });
}
