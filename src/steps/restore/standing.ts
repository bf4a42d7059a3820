import { PipelineError } from "../../core/execution/errors.ts";
import type { Sight, Standing } from "../../core/plan/replacement.ts";
import type { PlannedRestore } from "../../core/plan/restore.ts";
import { replacedName } from "../../core/plan/restore-names.ts";
import type { CollectionName, Milvus } from "../../ports/milvus.ts";

/** What stands under a name now; undefined for nothing. */
export async function standingUnder(milvus: Milvus, name: CollectionName): Promise<Standing | undefined> {
  try {
    const { id, aliases } = await milvus.describeCollection(name);
    return { id, alias: aliases.includes(name.collection), aliases };
  } catch (error) {
    if (error instanceof PipelineError && error.name === "CollectionNotFound") return undefined;
    throw error;
  }
}

/** The names of a planned collection; nothing has `replaced` where it replaces none. */
export function namesOf({ working, target, replaces }: Pick<PlannedRestore, "working" | "target" | "replaces">) {
  return { working, target, ...(replaces !== undefined && { replaced: replacedName(target, replaces) }) };
}

/** Looks at the three names of a collection. */
export async function lookAtNames(
  milvus: Milvus,
  collection: Pick<PlannedRestore, "working" | "target" | "replaces">,
): Promise<Sight> {
  const { working, target, replaced } = namesOf(collection);
  const [atWorking, atTarget] = [await standingUnder(milvus, working), await standingUnder(milvus, target)];
  const aside = replaced && (await standingUnder(milvus, replaced));
  return {
    ...(atWorking && { working: atWorking }),
    ...(atTarget && { target: atTarget }),
    ...(aside && { replaced: aside }),
  };
}
