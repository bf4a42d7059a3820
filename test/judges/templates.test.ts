import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { execa } from "execa";
import { afterAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { type Finding, judged } from "./exceptions.ts";
import { writeTemplates } from "./templates.ts";
import { judge } from "./venv.ts";

const folder = mkdtempSync(join(tmpdir(), "milvus-backup-templates-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const templates = writeTemplates(folder);
const files = [...templates.values()];

const cfnLintReport = z.array(
  z.object({ Filename: z.string(), Message: z.string(), Rule: z.object({ Id: z.string() }) }),
);
const checkovReport = z.object({
  results: z.object({
    passed_checks: z.array(z.object({ file_path: z.string() })),
    failed_checks: z.array(
      z.object({ check_id: z.string(), check_name: z.string(), resource: z.string(), file_path: z.string() }),
    ),
    parsing_errors: z.array(z.string()),
  }),
});

/** That topics, queues, log groups and variables are encrypted with a key of the customer's. */
const customerKeyChecks = ["CKV_AWS_26", "CKV_AWS_27", "CKV_AWS_158", "CKV_AWS_173"];

/** Runs a linter, whose exit code says only that it found something. */
async function reportOf(linter: "cfn-lint" | "checkov", args: readonly string[]): Promise<unknown> {
  const { stdout, stderr } = await execa(judge(linter), args, { cwd: folder, reject: false, stdin: "ignore" });
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`${linter} gave no report: ${stderr || stdout}`);
  }
}

// Both linters take a core for most of their time: side by side.
describe.concurrent("templates", () => {
  it("pass cfn-lint in both regions", async () => {
    const regions = ["us-east-1", "eu-central-1"];
    const report = cfnLintReport.parse(
      await reportOf("cfn-lint", ["--format", "json", "--regions", ...regions, "--", ...files]),
    );
    const findings = report.map(
      ({ Filename, Message, Rule }): Finding => ({
        template: basename(Filename),
        check: Rule.Id,
        of: Message,
        message: Message,
      }),
    );

    expect(judged("cfn-lint", findings)).toEqual({ unexplained: [], saidNoMore: [] });
  });

  it("pass checkov", async () => {
    // Nothing is asked of its vendor's service.
    const options = ["--framework", "cloudformation", "--compact", "--skip-download", "--output", "json"];
    const { results } = checkovReport.parse(
      await reportOf("checkov", [...options, ...files.flatMap((file) => ["--file", file])]),
    );
    const findings = results.failed_checks.map(
      ({ check_id, check_name, resource, file_path }): Finding => ({
        template: basename(file_path),
        check: check_id,
        of: resource,
        message: `${check_name}: ${resource}`,
      }),
    );
    const lookedAt = new Set(
      [...results.passed_checks, ...results.failed_checks].map(({ file_path: f }) => basename(f)),
    );

    expect(results.parsing_errors).toEqual([]);
    // It has no check that is about a bucket's policy alone.
    const all = files.map((file) => basename(file)).filter((name) => name !== "backup-bucket-policy.yaml");
    expect([...lookedAt].sort()).toEqual(all.sort());
    expect(judged("checkov", findings)).toEqual({ unexplained: [], saidNoMore: [] });
    // Whoever gives a key needs none of the exceptions that say why there is none.
    const withoutKey = findings.filter(({ check }) => customerKeyChecks.includes(check));
    expect(new Set(withoutKey.map(({ check }) => check))).toEqual(new Set(customerKeyChecks));
    expect(withoutKey.filter(({ template }) => template === "example.template.json")).toEqual([]);
  });
});
