import * as z from "zod";
import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { type RestoreInput, restoredRbac } from "../../core/execution/messages.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import type { BackupOutline } from "../../core/format/outline.ts";
import { anyWord, fromRbacMeta, type Rbac } from "../../core/milvus/rbac.ts";
import type { RestorePlan } from "../../core/plan/planned-restore.ts";
import { isEmptyAddition, planRbac, type RbacPlan, rbacRecord, withRefused } from "../../core/plan/rbac-restore.ts";
import { restoreWorkLayout } from "../../core/plan/restore-work.ts";
import type { Milvus } from "../../ports/milvus.ts";
import type { MilvusContext } from "../../ports/step-context.ts";
import { findBackup } from "../shared/find-backup.ts";
import { pinnedEnvironment } from "../shared/pinned-environments.ts";
import { readWorkJsonIfThere, writeWorkJson } from "../shared/work-files.ts";

/** How often is looked what is missing, where others make users and roles at the same time. */
const looks = 3;

/** What became of users, roles, grants and privilege groups, as an execution keeps it: no passwords. */
const rbacOutcome = z.object({ counts: restoredRbac, warnings: z.array(z.string()) });
type RbacOutcome = z.infer<typeof rbacOutcome>;

/**
 * Everything that speaks against restoring users and roles, before anything is made.
 * @param target.user of the environment; "" where it names none
 * @throws InvalidInput where the backup has none, or Milvus wants to be told who grants; MilvusUnauthenticated where the user of the environment may not make the calls
 */
export async function checkRbac(
  { rbac_meta }: Pick<BackupOutline, "rbac_meta">,
  input: RestoreInput,
  { milvus, user }: { readonly milvus: Milvus; readonly user: string },
): Promise<void> {
  if (!input.rbac || input.discard) return;
  if (rbac_meta === undefined) {
    throw new PipelineError(
      "InvalidInput",
      `rbac (--rbac): backup ${input.backupName} holds no users, roles or grants, as it was made without rbac; leave it out`,
      { details: { key: "rbac" } },
    );
  }
  const tried = await milvus.tryCalls("rbac");
  const together = tried.some(({ call }) => call === "RestoreRBAC");
  const alone = fromRbacMeta(rbac_meta).grants.some(({ privilege }) => !together || privilege === anyWord);
  if (user === "" && alone) {
    throw new PipelineError(
      "InvalidInput",
      `rbac: Milvus at ${milvus.address} writes down who grants, also where it checks no passwords: set milvus.user (root, say) in environment ` +
        `${input.environment}. Nothing was changed`,
      { details: { key: "milvus.user" } },
    );
  }
  const denied = tried.filter(({ outcome }) => outcome === "denied");
  if (denied.length === 0) return;
  throw new PipelineError(
    "MilvusUnauthenticated",
    `rbac: the user of environment ${input.environment} may not call ${denied.map(({ call }) => call).join(", ")} in Milvus at ${milvus.address} ` +
      `(${denied[0]?.reason}): grant them to a role of that user, or leave rbac out. Nothing was changed`,
    { details: { key: "rbac" } },
  );
}

/** What a restore of users and roles works with. */
interface RbacRestore {
  readonly plan: RestorePlan;
  readonly input: RestoreInput;
  readonly milvus: Milvus;
  readonly layout: WorkLayout;
  /** Asked before anything is changed. */
  readonly confirm: () => Promise<void>;
}

/**
 * Adds what the target lacks of the backup's users, roles, grants and privilege groups, when its collections stand under their names. Once
 * in an execution. What it sets out to add is written down first: a run that ended halfway is gone on from.
 * @throws CopyMismatch where the backup is not the one any more that was read before, and what Milvus and the store throw
 */
export async function restoreRbac(restore: RbacRestore, context: MilvusContext): Promise<RbacOutcome | undefined> {
  const { plan, layout } = restore;
  if (plan.rbac === undefined) return undefined;
  const done = await readWorkJsonIfThere(context, layout.rbac, rbacOutcome);
  if (done) return done;
  const backup = await readBackup(restore, context);
  const outcome = await addMissing(backup, restore, context);
  const result = { counts: outcome.counts, warnings: [...outcome.warnings] };
  await writeWorkJson(context, layout.rbac, result);
  context.log.info("users and roles restored", { ...outcome.counts });
  return result;
}

/** Looks again where Milvus refuses: somebody may have made a user or a role in between. */
async function addMissing(
  backup: Rbac,
  { plan, milvus, confirm }: RbacRestore,
  context: MilvusContext,
): Promise<Pick<RbacPlan, "counts" | "warnings">> {
  const key = restoreWorkLayout(plan.restoreId).rbac;
  const databases = new Set(await milvus.listDatabases());
  for (let look = 1; ; look += 1) {
    const begun = await readWorkJsonIfThere(context, key, rbacRecord);
    const current = await milvus.describeRbac();
    const planned = planRbac(backup, { current, begun, databases, collections: plan.collections });
    if (isEmptyAddition(planned.add)) return planned;
    await confirm();
    await writeWorkJson(context, key, planned.record);
    try {
      return withRefused(planned, await milvus.addRbac(planned.add));
    } catch (error) {
      if (!(error instanceof PipelineError) || error.name !== "MilvusFailed") throw error;
      // Users that it refused are nobody's of this restore, whoever makes them.
      await writeWorkJson(context, key, { ...planned.record, users: begun?.users ?? [] });
      if (look === looks) throw error;
    }
  }
}

/** Anew from the backup, as no file of the work bucket has passwords: the very metas that Prepare Restore read, and compared. */
async function readBackup({ plan, input, layout }: RbacRestore, context: MilvusContext): Promise<Rbac> {
  const from = await pinnedEnvironment(context, layout, input.from ?? input.environment);
  const store = await context.openStore(pinnedStore(from, "backup"));
  const stored = await findBackup(store, from.backupStorage, input.backupName);
  const metas = await stored.streamCommitRecord();
  const rbac = metas && (await metas.outline()).backup.rbac_meta;
  if (metas && rbac && metas.sha256 === plan.rbac?.sha256) return fromRbacMeta(rbac);
  throw new PipelineError(
    "CopyMismatch",
    `backup ${input.backupName} in ${stored.place} was replaced or deleted while it was restored: no users or roles were made of it. The collections are in ` +
      "place; start a restore with rbac again once it is complete",
  );
}
