import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reportExecution } from "../../src/core/report/execution.ts";
import { reportRoot } from "../../src/core/report/root.ts";
import { type Report, renderReport } from "../../src/page/render.ts";
import { readBackupReport } from "../../src/steps/report/backup.ts";
import {
  accessibilityErrors,
  figuresOf,
  launchBrowser,
  openPage,
  overflowOf,
  type View,
  views,
} from "../support/browser.ts";
import { MemoryObjectStore } from "../support/memory-object-store.ts";
import { executionFacts, night, now, rootFacts } from "../support/report-facts.ts";
import { seedBackup } from "../support/seed-backup.ts";

const evil = `<script>document.title = "run"</script><img src=x onerror="document.title = 'run'">`;

async function golden(): Promise<Report> {
  const store = new MemoryObjectStore("bucket-b");
  seedBackup(store, "golden");
  return readBackupReport(store, { rootPath: "backup", name: "golden", location: "bucket-b/backup/golden/" }, now);
}

const long = "a_name_that_nobody_would_give_a_backup_by_hand_but_some_programs_do_".repeat(3);
const facts = rootFacts();
const fewer = rootFacts({ backups: [...facts.backups.slice(0, 10), ...facts.backups.slice(-3)] });
const [desk, phone, dark] = views;

/** Each with how many figures it has, and where it is looked at. */
const reports: Record<
  string,
  { make: () => Report | Promise<Report>; figures: number; on: readonly (View | undefined)[] }
> = {
  root: { make: () => reportRoot(fewer), figures: 2, on: views },
  empty: { make: () => reportRoot(rootFacts({ backups: [], deployment: undefined })), figures: 0, on: [dark] },
  "evil-names": {
    make: () =>
      reportRoot({
        ...facts,
        location: evil,
        backups: [night(0, { backupName: evil, collections: [evil] }), night(1, { backupName: long })],
      }),
    figures: 2,
    on: [dark],
  },
  backup: { make: golden, figures: 3, on: [desk, dark] },
  execution: { make: () => reportExecution(executionFacts(6)), figures: 3, on: [phone] },
};

const cases = Object.entries(reports).flatMap(([name, { on, ...report }]) =>
  on.flatMap((view) => (view === undefined ? [] : [{ title: `${name} on a ${view.name}`, name, view, ...report }])),
);

let browser: Browser;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "milvus-backup-report-"));
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

test.each(cases)(
  "$title: its figures, nothing loaded, no accessibility error, no wider than the window",
  async ({ name, view, make, figures }) => {
    const file = join(folder, `${name}.html`);
    await writeFile(file, await renderReport(await make()));
    const { page, complaints, close } = await openPage(browser, file, view, name);

    expect(await figuresOf(page)).toHaveLength(figures);
    expect(await overflowOf(page)).toBeLessThanOrEqual(0);
    expect(await accessibilityErrors(page)).toEqual([]);
    expect(await overflowOf(page)).toBeLessThanOrEqual(0);
    expect(complaints).toEqual([]);
    expect(await page.title()).not.toBe("run");
    await close();
  },
);

test("of 1,000 backups it is a page still: quick to show, no wider than a phone", async () => {
  const backups = Array.from({ length: 1_000 }, (_, index) => night(index));
  const file = join(folder, "thousand.html");
  await writeFile(file, await renderReport(reportRoot(rootFacts({ backups }))));
  const { page, close } = await openPage(
    browser,
    file,
    { name: "phone", width: 390, colorScheme: "light" },
    "thousand",
  );

  expect(await figuresOf(page)).toHaveLength(2);
  expect(await overflowOf(page)).toBeLessThanOrEqual(0);
  expect(await page.getByRole("region", { name: "Backups, newest first" }).getByRole("row").count()).toBe(101);
  await close();
});

test("by keyboard: to the content first, then through what scrolls and what unfolds", async () => {
  const file = join(folder, "keyboard.html");
  await writeFile(file, await renderReport(await golden()));
  const { page, close } = await openPage(
    browser,
    file,
    { name: "keyboard", width: 1200, colorScheme: "light" },
    "root",
  );
  const focused = () => page.evaluate<string>("document.activeElement.textContent.trim().slice(0, 30)");

  await page.keyboard.press("Tab");
  expect(await focused()).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  expect(new URL(page.url()).hash).toBe("#content");
  const visited: string[] = [];
  for (let press = 0; press < 6; press += 1) {
    await page.keyboard.press("Tab");
    visited.push(await page.evaluate<string>("document.activeElement.tagName"));
  }
  expect(visited).toContain("SUMMARY");
  const summary = page.locator("summary").first();
  await summary.focus();
  await page.keyboard.press("Enter");
  expect(await page.getByRole("region", { name: "Size of each collection" }).isVisible()).toBe(true);
  await close();
});
