import { settingsOf } from "../../src/core/environment/changes.ts";
import type { KnownKey } from "../../src/core/environment/keys.ts";
import type { Origin } from "../../src/core/environment/yaml.ts";
import type { DocumentOf } from "../documents/index.ts";
import { readConfigFile } from "../environments.ts";
import { CliError } from "../errors.ts";
import { formatTable } from "../output/table.ts";
import type { VerbRun } from "../verbs/verb.ts";

type Setting = DocumentOf<"config">["settings"][number];

/** Shows what the file of --config says, and where each value comes from; secrets are never shown. */
export async function checkConfig({ shared, output, context }: VerbRun<unknown>): Promise<void> {
  if (shared.environment !== undefined) {
    throw new CliError("Usage", `check config reads a file: env show ${shared.environment} shows what is registered`);
  }
  const { environment, origins } = readConfigFile(context, { ...shared, quiet: true });
  const resolved = settingsOf(environment);
  const settings = [...new Set<KnownKey>([...resolved.keys(), ...origins.keys()])].map((key): Setting => {
    const setting = resolved.get(key);
    return { key, ...(setting?.shown === "shown" && { value: setting.value }), ...originOf(origins.get(key)) };
  });
  const table = formatTable(
    [{ title: "KEY" }, { title: "VALUE" }, { title: "FROM" }],
    settings.map((setting) => [
      setting.key,
      setting.value === undefined ? hidden(setting) : String(setting.value),
      placeOf(setting, shared.config),
    ]),
  );
  output.result({ kind: "config", version: 1, file: shared.config, settings }, table);
}

/** What is told of a secret. */
function hidden({ from }: Setting): string {
  return from === "default" ? "" : "(given)";
}

function originOf(origin: Origin | undefined): Pick<Setting, "from" | "variable" | "line"> {
  if (origin === undefined) return { from: "default" };
  if (origin === "--set") return { from: "--set" };
  return "line" in origin ? { from: "file", line: origin.line } : { from: "variable", variable: origin.variable };
}

function placeOf({ from, variable, line }: Setting, file: string): string {
  if (from === "file") return `${file}:${line}`;
  return variable ?? from;
}
