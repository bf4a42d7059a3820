import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExecutionReport } from "../../src/core/report/execution.ts";
import {
  accessibilityErrors,
  figuresOf,
  launchBrowser,
  type OpenedPage,
  openPage,
  overflowOf,
  views,
} from "../support/browser.ts";
import { type BackupDocument, configs, milvusBackup, milvusBackupJson } from "../support/e2e/cli.ts";
import { connectToServer, dropCollections } from "../support/e2e/milvus.ts";
import { deletePrefix } from "../support/e2e/objects.ts";
import { seedSmall } from "../support/e2e/seeds.ts";

const root = "report-e2e";
const collection = "report_coll";

describe("the page of what a real pipeline made", async () => {
  const a = await connectToServer("milvus-a");
  let folder: string;
  /** Milvus A with backups in a place of their own, under a name that is not the other tests'. */
  let environment: string[];
  let browser: Browser;
  let made: BackupDocument;
  const opened: OpenedPage[] = [];

  /** Writes a report and opens it as a page. */
  async function report(name: string, ...args: string[]): Promise<OpenedPage & { text: string }> {
    const file = join(folder, `${name}.html`);
    const run = await milvusBackup(...environment, "report", "--out", file, ...args);
    expect(run).toMatchObject({ exitCode: 0 });
    const [view] = views;
    if (view === undefined) throw new Error("there are views");
    const page = await openPage(browser, file, view, `e2e-${name}`);
    opened.push(page);
    expect(await accessibilityErrors(page.page)).toEqual([]);
    expect(await overflowOf(page.page)).toBeLessThanOrEqual(0);
    expect(page.complaints).toEqual([]);
    return { ...page, text: (await page.page.textContent("main")) ?? "" };
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "milvus-backup-report-"));
    const config = join(folder, `${root}.yaml`);
    await writeFile(
      config,
      (await readFile(configs.a, "utf8")).replace(/backupRootPath: .*/, `backupRootPath: ${root}`),
    );
    environment = ["--config", config];
    await deletePrefix("bucket-b", `${root}/`);
    await dropCollections(a, collection);
    await seedSmall(a, { collection }, { segments: 2, rows: 200 });
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await Promise.all(opened.map((page) => page.close()));
    await browser?.close();
    await dropCollections(a, collection);
    await deletePrefix("bucket-b", `${root}/`);
    await rm(folder, { recursive: true, force: true });
  });

  test("of an empty root says so", async () => {
    const { page, text } = await report("empty");

    expect(text).toContain(`There are no backups in bucket-b/${root}.`);
    expect(await figuresOf(page)).toEqual([]);
  });

  test("of a root shows its backups on a time line", async () => {
    made = await milvusBackupJson<BackupDocument>(...environment, "create", "-c", collection, "-n", "report_one");

    const { page, text } = await report("root");

    expect(text).toMatch(/report_one/);
    expect(await figuresOf(page)).toEqual([expect.stringContaining("The largest is report_one")]);
  });

  test("of a backup shows its collection, schema and segments", async () => {
    const { page, text } = await report("backup", "-n", "report_one");

    expect(text).toContain(`Schema of default.${collection}`);
    expect(text).toContain("FloatVector");
    const collections = page.getByRole("region", { name: "Collections, largest first" });
    expect(await collections.getByRole("cell", { name: "400", exact: true }).count()).toBe(1);
    expect(await figuresOf(page)).toEqual([
      expect.stringContaining(collection),
      expect.stringContaining("2 segments by size"),
    ]);
  });

  test("of an execution shows its states and what it copied, which a small one does itself", async () => {
    const name = made.executionArn.split(":").at(-1) ?? "";
    const { page, text } = await report("execution", "--execution", name);

    expect(text).toContain("succeeded");
    expect(text).toContain("Copy Segments Directly");
    expect(await figuresOf(page)).toEqual([expect.stringContaining("the longest is")]);
    const document = await milvusBackupJson<ExecutionReport>("report", "--execution", name);
    expect(document).toMatchObject({
      steps: expect.arrayContaining([expect.objectContaining({ step: "Copy Segments Directly", visits: 1 })]),
      copies: { segments: 2, bytes: made.bytes, objects: made.objects },
      retries: 0,
    });
    expect(document.copies?.bytesPerSecond).toBeGreaterThan(0);
  });

  test("is not written for a name that nobody knows", async () => {
    const file = join(folder, "unknown.html");
    const run = await milvusBackup(...environment, "report", "-n", "nothing", "--out", file);

    expect(run).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("BackupNotFound") });
    await expect(readFile(file)).rejects.toThrow("ENOENT");
  });
});
