import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { aws, awsEnvironment, stackName } from "./aws.ts";
import { LocalStackError } from "./errors.ts";
import { binDir, localDir } from "./paths.ts";
import type { StepOutcome } from "./reporter.ts";
import { runOf } from "./service.ts";
import { runTool } from "./tool.ts";

/** The outputs of the deployed stack, as the CDK CLI writes them. */
export const outputsFile = join(localDir, "outputs.json");

/** What can be said about a deployment; the defaults are this project's app and stack. */
export interface DeployOptions {
  /** Another CDK app, as a command. */
  app?: string | undefined;
  stack?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** Runs `cdk bootstrap` in the emulator, once in its life. */
export async function bootstrap({ signal }: Pick<DeployOptions, "signal"> = {}): Promise<StepOutcome> {
  const emulator = await runOf({ name: "aws" });
  if (emulator === undefined) throw new LocalStackError("The AWS emulator does not run: npm run local -- up");
  // A new emulator knows nothing of what was in the last one.
  const bootstrapped = join(localDir, "aws", "bootstrapped");
  if (existsSync(bootstrapped) && (await readFile(bootstrapped, "utf8")) === emulator) {
    return { unchanged: true, detail: `${aws.account}/${aws.region}` };
  }
  // From a folder without cdk.json, as otherwise the CLI would synthesize the app first, which bootstrapping does not need.
  await cdk(["bootstrap", `aws://${aws.account}/${aws.region}`], { signal, cwd: localDir });
  await writeFile(bootstrapped, emulator);
  return { detail: `${aws.account}/${aws.region}` };
}

/** Runs `cdk deploy` into the emulator. */
export async function deployStack({ app, stack = stackName, signal }: DeployOptions = {}): Promise<StepOutcome> {
  await cdk(["deploy", stack, "--require-approval", "never", "--outputs-file", outputsFile], { app, signal });
  return { detail: stack };
}

/** The outputs of the last deployment, by name; empty before one. */
export async function stackOutputs(stack: string = stackName): Promise<Record<string, string>> {
  if (!existsSync(outputsFile)) return {};
  const outputs = JSON.parse(await readFile(outputsFile, "utf8")) as Record<string, Record<string, string>>;
  return outputs[stack] ?? {};
}

async function cdk(args: string[], { app, signal, cwd }: DeployOptions & { cwd?: string }): Promise<void> {
  const general = ["--ci", "--no-color", "--no-notices", "--output", join(localDir, "cdk.out")];
  await runTool(join(binDir, "cdk"), [...args, ...general, ...(app === undefined ? [] : ["--app", app])], {
    log: "deploy",
    signal,
    ...(cwd !== undefined && { cwd }),
    env: {
      ...withoutAws(process.env),
      ...awsEnvironment,
      PATH: [binDir, process.env.PATH ?? ""].join(delimiter),
      CDK_DISABLE_CLI_TELEMETRY: "1",
    },
  });
}

/** The user's profile and tokens could reach a real account: they stay outside. */
function withoutAws(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("AWS_")));
}
