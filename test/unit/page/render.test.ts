import { describe, expect, it } from "vitest";
import { reportBackup } from "../../../src/core/report/backup.ts";
import { reportExecution } from "../../../src/core/report/execution.ts";
import { type ReportedBackup, reportRoot } from "../../../src/core/report/root.ts";
import { pageMark } from "../../../src/page/document.ts";
import { type Report, renderReport } from "../../../src/page/render.ts";
import { outlineBackup } from "../../../src/steps/catalog/get-backup.ts";
import { MemoryObjectStore } from "../../support/memory-object-store.ts";
import { drill, executionFacts, night, now, rootFacts, verification } from "../../support/report-facts.ts";
import { seedBackup } from "../../support/seed-backup.ts";

const evil = `</text><script>alert("x")</script><img src=x onerror='alert(1)'>`;

async function backupOf(name: string) {
  const store = new MemoryObjectStore("bucket-b");
  seedBackup(store, "golden");
  const outline = await outlineBackup(store, "backup", "golden");
  const [first, ...rest] = outline.backup.collection_backups;
  if (first === undefined) throw new Error("the golden backup has collections");
  const schema = { ...first.schema, description: name };
  const renamed = { ...first, collection_name: name, aliases: [name], schema };
  return reportBackup({
    ...outline,
    backup: { ...outline.backup, name, collection_backups: [renamed, ...rest] },
    warnings: [name],
    location: name,
    now,
  });
}

/** Every kind of report, with a name that would be markup if it were not escaped. */
const reports: Record<string, (name: string) => Report | Promise<Report>> = {
  root: (name) =>
    reportRoot(
      rootFacts({
        ...{ environment: name, location: name },
        backups: [night(0, { backupName: name, collections: [name], problem: name, milvusVersion: name })],
        deployment: {
          stateMachine: "a",
          promises: [{ name, environment: name, expression: name, timeZone: name, enabled: true }],
        },
      }),
    ),
  backup: backupOf,
  execution: (name) =>
    reportExecution({
      ...executionFacts(3),
      ...{ executionName: name, input: { backupName: name }, warnings: [name], error: { name, message: name } },
      batches: [{ batch: name, state: "failed", startedAt: executionFacts(3).startedAt }],
      events: [{ at: executionFacts(3).startedAt, kind: "entered", state: name }],
    }),
};

describe.each(Object.entries(reports))("the page of a report of %s", (_, make) => {
  it("shows any name as text, in figures as well", async () => {
    const page = await renderReport(await make(evil));

    expect(page).not.toMatch(/<script|<img|onerror='/);
    expect(page).toContain("&lt;script&gt;");
  });

  it("loads nothing, runs nothing and says so", async () => {
    const page = await renderReport(await make("shop.orders"));

    expect(page).toContain(pageMark);
    expect(page).toContain("default-src &#39;none&#39;");
    expect(page).not.toMatch(/<script|<link|@import|url\(/);
    expect([...page.matchAll(/(?:src|href)="([^"#]+)"/g)]).toEqual([]);
  });

  it("says every figure in words", async () => {
    const page = await renderReport(await make("shop.orders"));

    const figures = page.match(/<figure>/g)?.length ?? 0;
    const labels = [...page.matchAll(/role="img" aria-label="([^"]+)"/g)].map(([, label]) => label);
    expect(labels).toHaveLength(2 * figures);
    for (const label of labels) expect(label?.length).toBeGreaterThan(20);
  });
});

it("says of a backup whose drill failed just that: the target may have been too small", async () => {
  const backups = (more: Partial<ReportedBackup>) => reportRoot(rootFacts({ backups: [night(0, more)] }));

  const drilled = await renderReport(backups({ drill: drill("2026-11-28T09:00:00Z", "failed") }));
  const verified = await renderReport(backups({ verification: verification("2026-11-28T09:00:00Z", "failed") }));

  expect(drilled).toContain("drill failed");
  expect(drilled).not.toMatch(/found broken/i);
  expect(verified).toContain("found broken");
});

describe("a large page", () => {
  it("of 1,000 backups stays below 700 KB", async () => {
    const backups = Array.from({ length: 1_000 }, (_, index) => night(index));

    expect((await renderReport(reportRoot(rootFacts({ backups })))).length).toBeLessThan(700_000);
  });

  it("of 10,000 batches stays below 300 KB", async () => {
    expect((await renderReport(reportExecution(executionFacts(10_000)))).length).toBeLessThan(300_000);
  });
});

it("an empty root is said to be empty, with what to do", async () => {
  const page = await renderReport(reportRoot(rootFacts({ backups: [], deployment: undefined })));

  expect(page).toContain("There are no backups in bucket-b/backup.");
  expect(page).not.toContain("<figure>");
});
