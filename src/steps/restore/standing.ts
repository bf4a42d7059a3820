import { PipelineError } from "../../core/execution/errors.ts";
import { qualifiedName } from "../../core/milvus/names.ts";
import type { PlannedRestore } from "../../core/plan/planned-restore.ts";
import { type Sight, type Standing, tellSight } from "../../core/plan/replacement.ts";
import { replacedName } from "../../core/plan/restore-names.ts";
import type { CollectionName, Id, Milvus } from "../../ports/milvus.ts";

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

/** What was seen under the three names, for messages. */
export function tellNames(
  collection: Pick<PlannedRestore, "working" | "target" | "replaces">,
  made: Id | undefined,
  sight: Sight,
): string {
  const { working, target, replaced } = namesOf(collection);
  const names = {
    working: qualifiedName(working),
    target: qualifiedName(target),
    ...(replaced && { replaced: qualifiedName(replaced) }),
  };
  return tellSight({ made, old: collection.replaces }, names, sight);
}
