import { pinnedStore } from "../../core/execution/copy-plan.ts";
import { reportKey } from "../../core/format/layout.ts";
import type { RootReport } from "../../core/report/root.ts";
import type { StepContext } from "../../ports/step-context.ts";
import { type Deployment, readRootReport } from "./root.ts";

/**
 * Writes the report of all backups of an environment beside them, over the one before.
 * @param render makes the page of it
 * @returns its key, and how many backups it is about
 * @throws what environments and stores throw
 */
export async function writeRootReport(
  { environment: name, deployment }: { readonly environment: string; readonly deployment: Deployment },
  render: (report: RootReport) => Promise<string>,
  context: Pick<StepContext, "environments" | "openStore" | "clock" | "log">,
): Promise<{ key: string; backups: number }> {
  const environment = await context.environments.get(name);
  const { backupStorage } = environment;
  // by version: what is written lies in the bucket of the root path that was read
  const store = await context.openStore(pinnedStore(environment, "backup"));
  const report = await readRootReport(store, { environment: name, backupStorage }, deployment, context.clock.now());
  const key = reportKey(backupStorage.rootPath);
  await store.putText(key, await render(report), { contentType: "text/html; charset=utf-8" });
  context.log.info("report written", { key });
  return { key, backups: report.totals.backupCount };
}
