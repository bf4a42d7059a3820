import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventFunctionSpecs, functionSpecs } from "../../infra/functions.ts";
import { buildPackage } from "../../packaging/build.ts";
import { machines } from "../../src/core/execution/machines.ts";

const projectDir = join(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "milvus-backup-package-"));
const [built, app] = [join(directory, "built"), join(directory, "app")];
const installed = join(app, "node_modules/milvus-backup-serverless");

// Without the packages of this project on it: npm and the command have to do with what the machine has.
const PATH = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((path) => !path.includes("node_modules"))
  .join(delimiter);
const env = { PATH, HOME: directory, CI: "1", npm_config_cache: join(directory, "cache") };
/** This Node.js, and the one of the machine, which may be older. */
const nodes = [
  ...new Set([
    process.execPath,
    ...PATH.split(delimiter)
      .map((path) => join(path, "node"))
      .filter(existsSync)
      .slice(0, 1),
  ]),
];
const npm = (cwd: string, ...args: string[]) => execa("npm", args, { cwd, env, extendEnv: false });

beforeAll(async () => {
  await buildPackage(built);
  await npm(directory, "pack", built, "--pack-destination", directory);
  const [tarball = ""] = readdirSync(directory).filter((file) => file.endsWith(".tgz"));
  mkdirSync(app);
  // Nothing has to be asked of a registry: it depends on nothing.
  await npm(app, "install", "--offline", "--no-audit", join("..", tarball));
  for (const peer of ["aws-cdk-lib", "constructs"]) {
    symlinkSync(join(projectDir, "node_modules", peer), join(app, "node_modules", peer));
  }
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("the packed package, installed in an empty folder", () => {
  it.each(nodes)("is a command that %s runs: help, version, and an error that says what to do", async (node) => {
    const nowhere = { AWS_ENDPOINT_URL: "http://127.0.0.1:1", AWS_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "id" };
    const run = (...args: string[]) =>
      execa(node, [join(app, "node_modules/.bin/milvus-backup"), ...args], {
        cwd: app,
        env: { ...env, ...nowhere, AWS_SECRET_ACCESS_KEY: "key", AWS_MAX_ATTEMPTS: "1" },
        extendEnv: false,
        reject: false,
      });

    expect(await run("--help")).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining("create [options]"),
      stderr: "",
    });
    expect((await run("--version")).stdout).toBe(
      JSON.parse(readFileSync(join(projectDir, "package.json"), "utf8")).version,
    );
    expect(await run("list")).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: "Error (ConfigNotFound): there is no file backup.yaml: name your backup.yaml with --config FILE",
    });
    // Nothing but the error, on a Node.js that later versions of the AWS SDK do not take too.
    expect(await run("executions")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^Error \(AwsUnreachable\): .*$/),
    });
    expect(await run("delete")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("Error (Usage): required option"),
    });
  });

  it.each(nodes)("loads on %s every file that a verb, a store or a reader of rows is in", async (node) => {
    const script = `
      import { readdirSync } from "node:fs";
      import { pathToFileURL } from "node:url";
      const directory = ${JSON.stringify(join(installed, "cli"))};
      for (const file of readdirSync(directory)) {
        if (file.endsWith(".js") && file !== "bin.js") await import(pathToFileURL(directory + "/" + file).href);
      }
      const { readParquet } = await import(pathToFileURL(directory + "/parquet-wasm/parquet_wasm.js").href);
      let told;
      try { readParquet(new Uint8Array(16)); } catch (error) { told = String(error); }
      console.log(told);`;

    const { stdout } = await execa(node, ["--input-type=module", "-e", script], { cwd: app, env, extendEnv: false });

    expect(stdout).toMatch(/Parquet/i);
  });

  it("has the functions, machines, schemas and licences that the construct and editors need, and no TypeScript", () => {
    const names = [...functionSpecs, ...eventFunctionSpecs].map(({ name }) => name);
    for (const name of names) expect(existsSync(join(installed, "functions", name, "index.js")), name).toBe(true);
    for (const machine of machines)
      expect(existsSync(join(installed, "state-machines", `${machine}.asl.json`))).toBe(true);
    expect(JSON.parse(readFileSync(join(installed, "schemas/pipeline.schema.json"), "utf8")).title).toContain(
      "pipeline.yaml",
    );
    expect(readFileSync(join(installed, "THIRD-PARTY-NOTICES.txt"), "utf8")).toMatch(/^commander \d/m);
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    expect(files.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))).toEqual([]);
    expect(JSON.parse(readFileSync(join(installed, "package.json"), "utf8"))).not.toHaveProperty("dependencies");
  });
});

describe("the apps of docs/construct.md", () => {
  const documented = readFileSync(join(projectDir, "docs/construct.md"), "utf8");
  const apps = [...documented.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text = ""]) => text);

  beforeAll(() => {
    writeFileSync(join(app, "package.json"), JSON.stringify({ type: "module" }));
    writeFileSync(join(app, "pipeline.yaml"), readFileSync(join(projectDir, "examples/pipeline.yaml")));
    for (const [index, text] of apps.entries()) writeFileSync(join(app, `app${index}.ts`), text);
  });

  it("are right for the compiler", async () => {
    const files = apps.map((_, index) => `app${index}.ts`);
    const flags = [
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--target",
      "es2022",
      "--ignoreConfig",
    ];

    await execa(join(projectDir, "node_modules/.bin/tsc"), [...flags, ...files], { cwd: app });
    writeFileSync(join(app, "wrong.ts"), (apps[0] ?? "").replace("schedules:", "schedule:"));
    const wrong = await execa(join(projectDir, "node_modules/.bin/tsc"), [...flags, "wrong.ts"], {
      cwd: app,
      reject: false,
    });
    expect(wrong.stdout).toContain("'schedule' does not exist in type 'PipelineOptions'");
  });

  it("are synthesised: the smallest one, and one with a VPC and buckets of its own", async () => {
    expect(apps.length).toBe(2);
    for (const [index, functionName] of [
      [0, "Search-copy-segments"],
      [1, "SearchBackup-copy-segments"],
    ] as const) {
      const outdir = join(app, `out${index}`);
      await execa(process.execPath, [`app${index}.ts`], {
        cwd: app,
        env: { ...env, CDK_OUTDIR: outdir },
        extendEnv: false,
      });

      const template = JSON.parse(readFileSync(join(outdir, "Search.template.json"), "utf8"));
      const resources = Object.values(
        template.Resources as Record<string, { Type: string; Properties: Record<string, unknown> }>,
      );
      const functions = resources
        .filter(({ Type }) => Type === "AWS::Lambda::Function")
        .map(({ Properties }) => Properties.FunctionName);
      expect(functions).toContain(functionName);
      expect(resources.filter(({ Type }) => Type === "AWS::Scheduler::Schedule").length).toBe(index === 0 ? 1 : 7);
      expect(Object.keys(template.Outputs)).toEqual(
        expect.arrayContaining(["WorkBucketName", "BackupStateMachineArn"]),
      );
    }
    // The code that is deployed is that of the package.
    const assets = readdirSync(join(app, "out0")).filter((file) => file.startsWith("asset."));
    const indexes = assets.map((asset) => readFileSync(join(app, "out0", asset, "index.js"), "utf8"));
    expect(indexes).toContain(readFileSync(join(installed, "functions/copy-segments/index.js"), "utf8"));
  });
});
