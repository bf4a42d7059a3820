import type { BackupReport } from "../core/report/backup.ts";
import type { ExecutionReport } from "../core/report/execution.ts";
import type { RootReport } from "../core/report/root.ts";
import { backupPage } from "./backup-page.ts";
import { executionPage } from "./execution-page.ts";
import { rootPage } from "./root-page.ts";

export type Report = RootReport | BackupReport | ExecutionReport;

/** A report as one HTML file that needs nothing else: no network, no script. */
export function renderReport(report: Report): Promise<string> {
  if (report.kind === "root-report") return rootPage(report);
  return report.kind === "backup-report" ? backupPage(report) : executionPage(report);
}
