import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { PipelineFile } from "../../src/core/deployment/config.ts";
import { pipelineTemplate } from "../infra/synthesized.ts";

const projectDir = join(import.meta.dirname, "../..");
const examples = readFileSync(join(projectDir, "examples/pipeline.yaml"), "utf8");

/** The example with the choices it does not make: a security group of the stack's own, AWS's own keys. */
function otherChoices(): PipelineFile {
  const { network, encryptionKeyArn, environmentsKeyArn, ...file }: PipelineFile = parse(examples);
  if (!network || !encryptionKeyArn || !environmentsKeyArn) throw new Error("the example has no network or keys");
  const { vpcId, subnetIds } = network;
  return { ...file, network: { vpcId, subnetIds } };
}

/**
 * Writes every template that somebody deploys into a folder: the stack as it is by default, as examples/pipeline.yaml makes it and with the choices that does
 * not make, and those of docs/cross-account.
 * @returns the files by name
 */
export function writeTemplates(folder: string): ReadonlyMap<string, string> {
  mkdirSync(folder, { recursive: true });
  const stacks = {
    plain: {},
    example: { pipeline: examples },
    "other-choices": { pipeline: stringify(otherChoices()) },
  };
  const written = new Map<string, string>();
  for (const [name, context] of Object.entries(stacks)) {
    const file = join(folder, `${name}.template.json`);
    writeFileSync(file, JSON.stringify(pipelineTemplate(context).toJSON()));
    written.set(name, file);
  }
  const crossAccount = join(projectDir, "docs/cross-account");
  for (const name of readdirSync(crossAccount)) {
    const file = join(folder, name);
    copyFileSync(join(crossAccount, name), file);
    written.set(name, file);
  }
  return written;
}
