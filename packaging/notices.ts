import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metafile } from "esbuild";

/** The packages that went into bundles, as folders of `projectDir`. */
export function bundledPackages(metafiles: readonly Metafile[]): string[] {
  const inputs = metafiles.flatMap((metafile) => Object.keys(metafile.inputs));
  const folders = inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []);
  return [...new Set(folders)].sort();
}

/** Names, versions and licences of what is bundled: their authors ask that these go with every copy. */
export function noticesOf(projectDir: string, packages: readonly string[]): string {
  const sections = packages.map((folder) => {
    const directory = join(projectDir, folder);
    const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
    const texts = readdirSync(directory, { withFileTypes: true })
      .filter(({ name }) => /^(?:licen[cs]es?|notice|copying)/i.test(name))
      .flatMap((entry) => {
        const path = join(directory, entry.name);
        // Some keep those of what they contain themselves in a folder.
        return entry.isDirectory() ? readdirSync(path).map((file) => join(path, file)) : [path];
      })
      .map((file) => readFileSync(file, "utf8").trim());
    return [`${manifest.name} ${manifest.version} (${licenceOf(manifest)})`, ...texts].join("\n\n");
  });
  return `${["This package contains the following ones.", ...sections].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

function licenceOf({ license }: { license?: unknown }): string {
  return typeof license === "string" ? license : JSON.stringify(license ?? "licence not stated");
}
