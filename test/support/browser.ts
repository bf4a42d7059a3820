import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { localDir } from "../../local/paths.ts";

/** Where Debian's package puts it. */
const executablePath = "/usr/bin/chromium";

/** A page as somebody looks at it. */
export interface View {
  readonly name: string;
  readonly width: number;
  readonly colorScheme: "light" | "dark";
}

export const views: readonly View[] = [
  { name: "desk", width: 1200, colorScheme: "light" },
  { name: "phone", width: 390, colorScheme: "light" },
  { name: "phone-dark", width: 390, colorScheme: "dark" },
];

/** Screenshots are kept here, by page and view. */
const shotsDir = join(localDir, "report-screenshots");

/** Chromium without what looks for a network. */
export async function launchBrowser(): Promise<Browser> {
  if (!existsSync(executablePath)) throw new Error("chromium is missing: apt-get install -y chromium");
  const quiet = ["gpu", "quic", "background-networking", "component-update", "sync"].map((name) => `--disable-${name}`);
  return chromium.launch({ executablePath, args: ["--headless", "--no-sandbox", "--no-first-run", ...quiet] });
}

export interface OpenedPage {
  readonly page: Page;
  /** Requests for anything but the page itself, and errors that the page told its console. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/** Opens a file and keeps a screenshot of all of it. */
export async function openPage(browser: Browser, file: string, view: View, shot: string): Promise<OpenedPage> {
  const { width, colorScheme } = view;
  const context: BrowserContext = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("request", (request) => {
    if (request.url() !== `file://${file}`) complaints.push(request.url());
  });
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.goto(`file://${file}`);
  await mkdir(shotsDir, { recursive: true });
  await page.screenshot({ path: join(shotsDir, `${shot}-${view.name}.png`), fullPage: true });
  return { page, complaints, close: () => context.close() };
}

/** What axe finds wrong with a page for people who do not see, hear or move as others do: by rule and place. */
export async function accessibilityErrors(page: Page): Promise<string[]> {
  // What is folded up is read too.
  await page.evaluate(`for (const details of document.querySelectorAll("details")) details.open = true`);
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
  );
}

/** How far a page is wider than its window, in pixels. */
export async function overflowOf(page: Page): Promise<number> {
  return page.evaluate<number>("document.documentElement.scrollWidth - window.innerWidth");
}

/** Names of the figures that can be seen, as a screen reader says them. */
export async function figuresOf(page: Page): Promise<string[]> {
  const images = await page.getByRole("img").all();
  return Promise.all(images.map(async (image) => (await image.getAttribute("aria-label")) ?? ""));
}
