import { expect, test } from "vitest";
import { renderReport } from "../../../../src/page/render.ts";
import { listBackups } from "../../../../src/steps/catalog/list-backups.ts";
import { writeRootReport } from "../../../../src/steps/report/write-report.ts";
import { memoryContext } from "../../../support/memory-context.ts";
import { MemoryRegistry } from "../../../support/memory-registry.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";
import { nightly, stateMachine } from "../../../support/report-facts.ts";
import { seedBackup } from "../../../support/seed-backup.ts";

test("the report lies beside the backups, over the one before, and is no backup itself", async () => {
  const context = memoryContext();
  const environments = new MemoryRegistry();
  environments.register({ ...milvusEnvironment(1), name: "prod" });
  const store = context.store({ environment: "prod", side: "backup" });
  const request = { environment: "prod", deployment: { stateMachine, promises: [nightly] } };
  const write = () => writeRootReport(request, renderReport, { ...context, environments });
  await write();
  seedBackup(store, "golden");

  expect(await write()).toEqual({ key: "backup/milvus-backup-report.html", backups: 1 });

  const page = await store.getText("backup/milvus-backup-report.html");
  expect(page).toContain("golden");
  expect(page).toContain("no good backup");
  expect((await listBackups(store, "backup", { incompleteAt: new Date() })).map(({ name }) => name)).toEqual([
    "golden",
  ]);
});
