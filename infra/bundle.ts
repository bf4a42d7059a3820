import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync, type Metafile } from "esbuild";

const functionsDir = join(import.meta.dirname, "..", "functions");

/** The bundled functions: a directory for each, and what went into them. */
export interface Bundles {
  directoryOf(name: string): string;
  readonly metafile: Metafile;
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
    absWorkingDir: join(functionsDir, ".."),
    entryPoints: Object.fromEntries(names.map((name) => [join(name, "index"), join(functionsDir, name, "handler.ts")])),
    outdir,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    // ES modules where a package has both: only they can be tree-shaken.
    mainFields: ["module", "main"],
    minify: true,
    keepNames: true,
    legalComments: "none",
    metafile: true,
    logLevel: "error",
  });
  const bundles: Bundles = { directoryOf: (name) => join(outdir, name), metafile };
  bundled.set(key, bundles);
  return bundles;
}
