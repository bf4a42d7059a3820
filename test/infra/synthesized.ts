import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, Validations } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { AwsSolutionsChecks } from "cdk-nag";
import { afterAll } from "vitest";
import { PipelineStack } from "../../infra/pipeline-stack.ts";
import { readSettings } from "../../infra/settings.ts";
import { emptyPipeline } from "../../src/core/deployment/config.ts";
import { parsePipelineYaml } from "../../src/core/deployment/yaml.ts";

export interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

/** The feature flags of `cdk deploy`. */
const flags: Record<string, unknown> = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../cdk.json"), "utf8"),
).context;

/** The text of examples/pipeline.yaml. */
export const examplePipeline = readFileSync(join(import.meta.dirname, "../../examples/pipeline.yaml"), "utf8");

const directories: string[] = [];
// Not when the process exits: vitest's workers are ended, and a process that is ended runs no handler.
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/**
 * The app as `infra/app.ts` makes it, with an empty file for every function's code.
 * @param context the key `pipeline` holds the text of a pipeline.yaml, not its path
 */
export function pipelineApp(context: Record<string, unknown> = {}) {
  const directory = mkdtempSync(join(tmpdir(), "milvus-backup-synth-"));
  directories.push(directory);
  const [outdir, code] = [join(directory, "out"), join(directory, "code")];
  mkdirSync(code);
  writeFileSync(join(code, "index.js"), "");
  const app = new App({ outdir, context: flags });
  const settings = readSettings(
    (key) => context[key],
    {},
    (text) => (text === undefined ? emptyPipeline : parsePipelineYaml(text, "pipeline.yaml")),
  );
  const stack = new PipelineStack(app, settings.stack, { settings, bundles: { directoryOf: () => code } });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return { app, stack };
}

/** The template that comes of it. */
export function pipelineTemplate(context: Record<string, unknown> = {}): Template {
  return Template.fromStack(pipelineApp(context).stack);
}

/** Every statement of the policies of a function or machine, by its CDK id. */
export function statementsOf(template: Template, id: string): Statement[] {
  return Object.entries(template.findResources("AWS::IAM::Policy"))
    .filter(([logicalId]) => new RegExp(`^${id}(Policy|RoleDefaultPolicy)[0-9A-F]{8}$`).test(logicalId))
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[]);
}

/** Resources as one writes them: `arn:aws:s3:::bucket/key*`, with logical IDs for what has no name yet. */
export function resourcesOf(statement: Statement): string[] {
  return (Array.isArray(statement.Resource) ? statement.Resource : [statement.Resource]).map(readable).sort();
}

/** Actions as a list. */
export function actionsOf(statement: Statement): string[] {
  return [statement.Action].flat().sort();
}

function readable(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) throw new Error(`no resource: ${JSON.stringify(value)}`);
  if ("Ref" in value) {
    const pseudo: Record<string, string> = {
      "AWS::Partition": "aws",
      "AWS::Region": "region",
      "AWS::AccountId": "account",
    };
    return pseudo[String(value.Ref)] ?? `<${value.Ref}>`;
  }
  if ("Fn::GetAtt" in value && Array.isArray(value["Fn::GetAtt"])) {
    return `<${String(value["Fn::GetAtt"][0]).replace(/[0-9A-F]{8}$/, "")}>`;
  }
  if ("Fn::Join" in value && Array.isArray(value["Fn::Join"])) {
    const [separator, parts] = value["Fn::Join"] as [string, unknown[]];
    return parts.map(readable).join(separator);
  }
  throw new Error(`not readable: ${JSON.stringify(value)}`);
}

/** The input that a rule's target hands on, with `<fields>` as the template writes them. */
export function inputOfRule(from: Template, beginning: string): string {
  const [rule] = Object.entries(from.findResources("AWS::Events::Rule")).filter(([id]) => id.startsWith(beginning));
  return rule?.[1].Properties.Targets[0].InputTransformer.InputTemplate as string;
}
