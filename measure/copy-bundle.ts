import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { stackName } from "../local/aws.ts";
import { LocalStackError } from "../local/errors.ts";
import { localDir } from "../local/paths.ts";

/** The deployed bundle of the function that copies. */
export interface CopyBundle {
  /** Bytes of its one file, as the function loads it. */
  readonly bytes: number;
  /** Milliseconds to load it in a fresh process: the median of some. */
  readonly initMilliseconds: number;
}

const resource = z.object({
  Type: z.string(),
  Properties: z
    .object({
      FunctionName: z.unknown().optional(),
      Environment: z.object({ Variables: z.record(z.string(), z.unknown()) }).optional(),
    })
    .optional(),
  Metadata: z.object({ "aws:asset:path": z.string().optional() }).optional(),
});
const template = z.object({ Resources: z.record(z.string(), resource) });

const processes = 5;

/** Measures what `cdk deploy` uploaded last for Copy Segments, on this machine's Node. */
export async function measureCopyBundle(): Promise<CopyBundle> {
  const { folder, variables } = await deployed("copy-segments");
  const file = join(folder, "index.js");
  const script = [
    "const began = performance.now();",
    `require(${JSON.stringify(file)});`,
    "process.stdout.write(String(performance.now() - began));",
  ].join("");
  const times: number[] = [];
  for (let run = 0; run < processes; run += 1) {
    const { stdout } = await execa(process.execPath, ["--input-type=commonjs", "-e", script], {
      env: { ...variables, AWS_REGION: "us-east-1" },
      extendEnv: false,
    });
    times.push(Number(stdout));
  }
  const initMilliseconds = times.sort((a, b) => a - b)[Math.floor(processes / 2)] ?? Number.NaN;
  return { bytes: (await stat(file)).size, initMilliseconds };
}

/** The folder of a function's code and its variables, as the template of the last deployment has them: names of other resources are no matter. */
async function deployed(functionName: string): Promise<{ folder: string; variables: Record<string, string> }> {
  const assembly = join(localDir, "cdk.out");
  const text = await readFile(join(assembly, `${stackName}.template.json`), "utf8");
  const found = Object.values(template.parse(JSON.parse(text)).Resources).find(
    ({ Type, Properties }) =>
      Type === "AWS::Lambda::Function" && JSON.stringify(Properties?.FunctionName ?? "").includes(functionName),
  );
  const path = found?.Metadata?.["aws:asset:path"];
  if (path === undefined) throw new LocalStackError(`The deployed template has no function ${functionName}.`);
  const variables = Object.entries(found?.Properties?.Environment?.Variables ?? {}).map(([name, value]) => [
    name,
    typeof value === "string" ? value : "elsewhere",
  ]);
  return { folder: join(assembly, path), variables: Object.fromEntries(variables) };
}
