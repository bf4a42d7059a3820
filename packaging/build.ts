import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { bundleFunctions } from "../infra/bundle.ts";
import { eventFunctionSpecs, functionSpecs } from "../infra/functions.ts";
import { bundledPackages, noticesOf } from "./notices.ts";
import { type ProjectManifest, packageManifest } from "./package-manifest.ts";

const projectDir = join(import.meta.dirname, "..");

const options = {
  absWorkingDir: projectDir,
  bundle: true,
  platform: "node",
  target: "node20.15",
  format: "esm",
  mainFields: ["module", "main"],
  inject: [join(import.meta.dirname, "node-20.js")],
  // Packages of CommonJS ask for Node's own modules with require, which ES modules do not have.
  banner: {
    js: 'import{createRequire as $createRequire}from"node:module";const require=$createRequire(import.meta.url);',
  },
  legalComments: "none",
  logLevel: "error",
  metafile: true,
} as const satisfies BuildOptions;

/**
 * Makes the package that is packed and installed elsewhere: the command as JavaScript, the construct with its types, the functions it
 * deploys, the state machines and the schemas. Node.js runs no TypeScript below node_modules, and another app has no bundler.
 * @param outdir replaced
 */
export async function buildPackage(outdir: string): Promise<void> {
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  const [command, construct] = await Promise.all([
    buildCommand(join(outdir, "cli")),
    buildConstruct(join(outdir, "construct")),
  ]);
  const functions = functionsInto(join(outdir, "functions"));
  typesInto(join(outdir, "types"));
  for (const folder of ["schemas", "state-machines"])
    cpSync(join(projectDir, folder), join(outdir, folder), { recursive: true });
  for (const file of ["README.md", "LICENSE", "CHANGELOG.md"]) cpSync(join(projectDir, file), join(outdir, file));
  const packages = [...bundledPackages([command, construct, ...functions]), "node_modules/parquet-wasm"];
  writeFileSync(join(outdir, "THIRD-PARTY-NOTICES.txt"), noticesOf(projectDir, packages));
  const project: ProjectManifest = JSON.parse(readFileSync(join(projectDir, "package.json"), "utf8"));
  writeFileSync(join(outdir, "package.json"), `${JSON.stringify(packageManifest(project), null, 2)}\n`);
}

/** What is imported when it is needed stays a file of its own: a verb loads what it uses, and Azure's client only who opens such a store. */
async function buildCommand(outdir: string) {
  const { metafile } = await build({
    ...options,
    entryPoints: { main: join(projectDir, "cli/main.ts") },
    outdir,
    splitting: true,
    minify: true,
    keepNames: true,
    plugins: [parquetWasmBeside(outdir)],
  });
  cpSync(join(projectDir, "cli/remember-compiled.js"), join(outdir, "remember-compiled.js"));
  const bin = join(outdir, "bin.js");
  cpSync(join(import.meta.dirname, "bin.js"), bin);
  chmodSync(bin, 0o755);
  return metafile;
}

/** It looks for its WebAssembly beside itself. */
function parquetWasmBeside(outdir: string): Plugin {
  return {
    name: "parquet-wasm",
    setup({ onResolve }) {
      onResolve({ filter: /^parquet-wasm$/ }, () => ({ path: "./parquet-wasm/parquet_wasm.js", external: true }));
      const from = join(projectDir, "node_modules/parquet-wasm/node");
      for (const file of ["package.json", "parquet_wasm.js", "parquet_wasm_bg.wasm"]) {
        cpSync(join(from, file), join(outdir, "parquet-wasm", file));
      }
    },
  };
}

/** Readable, as what others debug; the CDK is the app's own. */
async function buildConstruct(outdir: string) {
  const { metafile } = await build({
    ...options,
    entryPoints: { index: join(projectDir, "infra/index.ts") },
    outdir,
    external: ["aws-cdk-lib", "constructs"],
  });
  return metafile;
}

function functionsInto(outdir: string) {
  const names = [...functionSpecs, ...eventFunctionSpecs].map(({ name }) => name);
  const bundles = bundleFunctions(names);
  for (const name of names) cpSync(bundles.directoryOf(name), join(outdir, name), { recursive: true });
  const { metafile, storesMetafile, payloadsMetafile } = bundles;
  return [metafile, storesMetafile, ...(payloadsMetafile ? [payloadsMetafile] : [])];
}

/** The declarations that those of the construct need, and no others: its own parts are nobody's interface. */
function typesInto(outdir: string): void {
  const all = mkdtempSync(join(tmpdir(), "milvus-backup-types-"));
  try {
    const config = join(all, "tsconfig.json");
    writeFileSync(
      config,
      JSON.stringify({
        extends: join(projectDir, "tsconfig.json"),
        compilerOptions: {
          noEmit: false,
          declaration: true,
          emitDeclarationOnly: true,
          outDir: all,
          rootDir: projectDir,
          typeRoots: [join(projectDir, "node_modules/@types")],
        },
        files: [join(projectDir, "infra/index.ts")],
        include: [],
      }),
    );
    execFileSync(join(projectDir, "node_modules/.bin/tsc"), ["-p", config], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    const open = ["infra/index.d.ts"];
    const done = new Set<string>();
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      if (done.has(file)) continue;
      done.add(file);
      const text = readFileSync(join(all, file), "utf8");
      // a value of that name stands in quotes
      for (const [, specifier = ""] of text.matchAll(/(?<!")\b(?:from|import) ?\(?"([^"]+)"/g)) {
        if (specifier.startsWith(".")) open.push(join(dirname(file), specifier.replace(/\.ts$/, ".d.ts")));
        else if (!/^(?:aws-cdk-lib|constructs)(?:\/|$)/.test(specifier)) {
          throw new Error(`${file}: the types of the package need ${specifier}, which who installs it does not have`);
        }
      }
      mkdirSync(dirname(join(outdir, file)), { recursive: true });
      writeFileSync(join(outdir, file), text.replace(/(")(\.[^"]+)\.ts"/g, '$1$2.js"'));
    }
  } finally {
    rmSync(all, { recursive: true, force: true });
  }
}
