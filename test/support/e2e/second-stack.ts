import { mkdir, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { awsEnvironment } from "../../../local/index.ts";
import { binDir, localDir, projectDir } from "../../../local/paths.ts";
import { readStackOutputs } from "../../../src/adapters/stack-outputs.ts";
import { cloudFormation } from "./aws-clients.ts";

/** A pipeline of its own beside the shared one, deployed from a pipeline.yaml. */
export interface SecondStack {
  readonly name: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** Takes it away again. */
  destroy(): Promise<void>;
}

/**
 * Deploys a second stack into the emulator. Its work bucket is kept by design, as in AWS.
 * @param pipelineYaml the text of its pipeline.yaml
 */
export async function deploySecondStack(name: string, pipelineYaml: string): Promise<SecondStack> {
  const folder = join(localDir, "second-stacks", name);
  await mkdir(folder, { recursive: true });
  const file = join(folder, "pipeline.yaml");
  await writeFile(file, pipelineYaml);
  const cdk = async (...args: readonly string[]) => {
    const context = ["-c", `stack=${name}`, "-c", `pipeline=${file}`];
    await execa(
      join(binDir, "cdk"),
      [...args, name, ...context, "--ci", "--no-notices", "--output", join(folder, "cdk.out")],
      {
        cwd: projectDir,
        env: {
          ...awsEnvironment,
          PATH: [binDir, process.env.PATH ?? ""].join(delimiter),
          CDK_DISABLE_CLI_TELEMETRY: "1",
        },
        stdin: "ignore",
        timeout: 240_000,
      },
    );
  };
  await cdk("deploy", "--require-approval", "never");
  const outputs = await readStackOutputs(name, cloudFormation);
  if (outputs === undefined) throw new Error(`the stack ${name} was deployed and is not there`);
  return {
    name,
    outputs,
    async destroy() {
      await cdk("destroy", "--force");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
