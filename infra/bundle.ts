import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type BuildOptions, buildSync, type Metafile } from "esbuild";

const projectDir = join(import.meta.dirname, "..");
const functionsDir = join(projectDir, "functions");

/** Clients of stores that few environments use: files of their own beside a function's, read when such a store is opened. */
const stores = { "#stores/azure": "azure", "#stores/gcs": "gcs" } as const;

const options = {
  absWorkingDir: projectDir,
  bundle: true,
  platform: "node",
  target: "node24",
  format: "cjs",
  // ES modules where a package has both: only they can be tree-shaken.
  mainFields: ["module", "main"],
  minify: true,
  keepNames: true,
  legalComments: "none",
  logLevel: "error",
} as const satisfies BuildOptions;

/** What reads payloads of binlogs, and writes Parquet, beside the functions that read rows of backups: its WebAssembly is larger than all other code. */
const payloads = "#payloads/parquet";
const wasm = join(projectDir, "node_modules/parquet-wasm/node/parquet_wasm_bg.wasm");

/** The bundled functions: a directory for each, and what went into them. */
export interface Bundles {
  directoryOf(name: string): string;
  readonly metafile: Metafile;
  /** What went into the clients beside them. */
  readonly storesMetafile: Metafile;
  /** The same of what reads payloads; absent where no function does. */
  readonly payloadsMetafile?: Metafile;
}

const bundled = new Map<string, Bundles>();

/**
 * Bundles functions with the project's own esbuild, all in one go, once a process. The AWS SDK goes in: the pinned version runs,
 * and what is tree-shaken loads faster than the runtime's copy. Functions keep their names, so that a stack trace says where it was:
 * 5 % of the size, where source maps would double it and slow the start.
 */
export function bundleFunctions(names: readonly string[]): Bundles {
  const key = names.join();
  const known = bundled.get(key);
  if (known) return known;
  const outdir = mkdtempSync(join(tmpdir(), "milvus-backup-functions-"));
  process.once("exit", () => rmSync(outdir, { recursive: true, force: true }));
  const { metafile } = buildSync({
    ...options,
    entryPoints: Object.fromEntries(names.map((name) => [join(name, "index"), join(functionsDir, name, "handler.ts")])),
    outdir,
    external: [...Object.keys(stores), payloads],
    metafile: true,
  });
  const storesDir = join(outdir, "stores");
  const { metafile: storesMetafile } = buildSync({
    ...options,
    entryPoints: Object.fromEntries(
      Object.values(stores).map((name) => [name, join(projectDir, "src/adapters", name, "index.ts")]),
    ),
    outdir: storesDir,
    metafile: true,
  });
  let payloadsMetafile: Metafile | undefined;
  for (const [file, { imports }] of Object.entries(metafile.outputs)) {
    const besides = new Map<string, string>();
    const directory = join(projectDir, dirname(file));
    if (imports.some(({ path }) => path in stores)) {
      for (const [specifier, name] of Object.entries(stores)) {
        besides.set(specifier, `./${name}.js`);
        cpSync(join(storesDir, `${name}.js`), join(directory, `${name}.js`));
      }
    }
    if (imports.some(({ path }) => path === payloads)) {
      besides.set(payloads, "./parquet.js");
      payloadsMetafile = addPayloads(directory);
    }
    if (besides.size === 0) continue;
    writeFileSync(join(directory, "package.json"), JSON.stringify({ imports: Object.fromEntries(besides) }));
  }
  const bundles: Bundles = {
    directoryOf: (name) => join(outdir, name),
    metafile,
    storesMetafile,
    ...(payloadsMetafile && { payloadsMetafile }),
  };
  bundled.set(key, bundles);
  return bundles;
}

/** Reader and writer and, beside them, its WebAssembly, which they look for there. */
function addPayloads(directory: string): Metafile {
  const { metafile } = buildSync({
    ...options,
    // The build of the package that finds its file beside itself.
    conditions: ["node"],
    mainFields: ["main"],
    entryPoints: [join(projectDir, "src/adapters/parquet/index.ts")],
    outfile: join(directory, "parquet.js"),
    metafile: true,
  });
  cpSync(wasm, join(directory, "parquet_wasm_bg.wasm"));
  return metafile;
}
