import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";

const exception = z.strictObject({ check: z.string(), of: z.string(), reason: z.string().min(30) });
const exceptions = z.strictObject({ "cfn-lint": z.array(exception), checkov: z.array(exception) });
type Linter = keyof z.infer<typeof exceptions>;

/** One thing that a linter says. */
export interface Finding {
  readonly template: string;
  readonly check: string;
  /** What an exception's `of` is matched against. */
  readonly of: string;
  readonly message: string;
}

/** Sets what a linter says against the exceptions: what stands under neither, or on one side only. */
export function judged(linter: Linter, findings: readonly Finding[]) {
  const file = readFileSync(join(import.meta.dirname, "exceptions.yaml"), "utf8");
  const known = exceptions.parse(parse(file))[linter];
  const covers = ({ check, of }: z.infer<typeof exception>, finding: Finding) =>
    check === finding.check && new RegExp(of).test(finding.of);
  return {
    unexplained: findings
      .filter((finding) => !known.some((each) => covers(each, finding)))
      .map(({ template, check, message }) => `${template}: ${check} ${message}`),
    saidNoMore: known
      .filter((each) => !findings.some((finding) => covers(each, finding)))
      .map(({ check, of }) => `${linter} does not say ${check} of ${of} any more: take it out of exceptions.yaml`),
  };
}
