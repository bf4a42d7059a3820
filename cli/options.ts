import { type Command, Option } from "commander";
import type { BackupInput, ExportFormat } from "../src/core/execution/messages.ts";
import { type LockMode, type LockSettings, lockModes, lockSettings } from "../src/core/execution/object-lock.ts";
import { CliError } from "./errors.ts";

/** The options every verb takes. */
export interface SharedOptions {
  readonly config: string;
  readonly set: readonly string[];
  readonly environment: string | undefined;
  readonly stack: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
}

/** Adds the options every verb takes; they may stand before or after the verb. */
export function addSharedOptions(program: Command): Command {
  return program
    .addOption(
      new Option("--config <file>", "the backup.yaml: one Milvus, its bucket, where its backups lie").default(
        "backup.yaml",
      ),
    )
    .addOption(
      new Option(
        "--set <key=value>",
        "replace one value of the file (MILVUS_USER=root or milvus.user=root); repeatable",
      )
        .argParser((value: string, earlier: string[]) => [...earlier, value])
        .default([], "nothing"),
    )
    .addOption(new Option("--environment <name>", "use a registered environment instead of a file").conflicts("config"))
    .addOption(
      new Option("--stack <name>", "the CloudFormation stack of the pipeline")
        .env("MILVUS_BACKUP_STACK")
        .default("MilvusBackup"),
    )
    .addOption(new Option("--json", "print the result as one JSON document; progress stays on stderr"))
    .addOption(new Option("--quiet", "no progress and no notes, only results, warnings and errors"))
    .addOption(new Option("--no-color", "no colours (as with NO_COLOR=1; FORCE_COLOR=1 keeps them in a pipe)"));
}

/** The shared options as given with a verb. */
export function sharedOptions(command: Command): SharedOptions {
  const options: Record<string, unknown> = command.optsWithGlobals();
  return {
    config: String(options.config),
    set: Array.isArray(options.set) ? options.set.map(String) : [],
    environment: typeof options.environment === "string" ? options.environment : undefined,
    stack: String(options.stack),
    json: options.json === true,
    quiet: options.quiet === true,
    color: options.color !== false,
  };
}

/** `-n, --name`, required by most verbs. */
export function nameOption(description: string): Option {
  return new Option("-n, --name <backup>", description);
}

/** A file never replaces another registration by itself. */
export function replaceOption(name = "the file's name"): Option {
  return new Option("--replace", `replace what is registered with other content under ${name}`);
}

/** A protected environment is named twice. */
export function confirmOption(what: string): Option {
  return new Option("--confirm <environment>", `${what}, although that environment is protected (docs/trust.md)`);
}

/** Computes, and does nothing. */
export function estimateOption(): Option {
  return new Option(
    "--estimate",
    "tell what it would copy, how long that takes and what it costs, and do nothing (docs/scale.md)",
  ).conflicts(["detach", "metadataOnly", "discard"]);
}

/** Starts an execution and leaves. */
export function detachOption(): Option {
  return new Option("--detach", "start it, print the ARN of the execution, and leave");
}

/** What the files of an export are: choices of its option (messages.ts has them too, and is not loaded for a help). */
export const exportFormats = ["parquet", "arrow", "jsonl"] as const satisfies readonly ExportFormat[];

/** The shells that can be taught the command. */
export const shells = ["bash", "zsh", "fish"] as const;

/** Locks what is written; for `create` and `copy`. */
export function addLockOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--lock <time>",
        "keep it from deletion for so long by Object Lock: 30d, 12h (the bucket has to have it; docs/locked-backups.md)",
      ),
    )
    .addOption(
      new Option(
        "--lock-mode <mode>",
        "governance: who has s3:BypassGovernanceRetention may take it off; compliance: nobody (governance, where absent)",
      ).choices(lockModes),
    );
}

export interface LockOptions {
  readonly lock?: string;
  readonly lockMode?: LockMode;
}

/**
 * The lock as the pipeline takes it; undefined where none is asked for.
 * @throws Usage
 */
export function givenLock({ lock, lockMode }: LockOptions): LockSettings | undefined {
  if (lock === undefined && lockMode === undefined) return undefined;
  if (lock === undefined) throw new CliError("Usage", "--lock-mode needs --lock: how long, such as --lock 30d");
  const parsed = lockSettings.safeParse({ for: lock, mode: lockMode });
  if (parsed.success) return parsed.data;
  throw new CliError(
    "Usage",
    `--lock: ${JSON.stringify(lock)} is no time from 1h to 36500d; use a number and h or d, such as --lock 30d`,
  );
}

/** milvus-backup's strategies, and our word for what it does without one. */
export const strategies: Readonly<Record<string, NonNullable<BackupInput["strategy"]>>> = {
  flush: "flush",
  auto: "flush",
  bulk_flush: "bulk_flush",
  serial_flush: "serial_flush",
  skip_flush: "skip_flush",
  meta_only: "meta_only",
};

/** What selects collections; only one of them at a time. */
export function addSelectionOptions(
  command: Command,
  filter = "the same, by milvus-backup's newer name: db1.coll1,db2.*",
): Command {
  return command
    .addOption(
      new Option(
        "-c, --collections <names>",
        "comma separated: coll, db.coll or db.* (all, where nothing is selected)",
      ).conflicts(["filter", "databases", "databaseCollections"]),
    )
    .addOption(new Option("--filter <names>", filter).conflicts(["databases", "databaseCollections"]))
    .addOption(
      new Option("-d, --databases <names>", "every collection of these databases").conflicts("databaseCollections"),
    )
    .addOption(
      new Option("-a, --database-collections <json>", '{"db1":["coll1"],"db2":[]}; an empty list means all of it'),
    );
}

export interface SelectionOptions {
  readonly collections?: string;
  readonly filter?: string;
  readonly databases?: string;
  readonly databaseCollections?: string;
}

/**
 * The selected collections as the pipeline takes them; undefined for all.
 * @throws Usage
 */
export function selectedCollections(options: SelectionOptions): string[] | undefined {
  if (options.collections !== undefined) return splitList("--collections", options.collections);
  if (options.filter !== undefined) return splitList("--filter", options.filter);
  if (options.databases !== undefined)
    return splitList("--databases", options.databases).map((database) => `${database}.*`);
  if (options.databaseCollections !== undefined) return parseDatabaseCollections(options.databaseCollections);
  return undefined;
}

/**
 * `a:b,c:d.e,f.*:g.*` as a record; the names of one that is there several times (`a:b,a:c`) as a list.
 * @throws Usage for anything else, also for a name that is given twice
 */
export function parseRenames(text: string): Record<string, string | string[]> {
  const renames = new Map<string, string[]>();
  for (const entry of splitList("--rename", text)) {
    const [from, to, ...rest] = entry.split(":");
    if (!from || !to || rest.length > 0) {
      throw new CliError(
        "Usage",
        `--rename: ${JSON.stringify(entry)} is not from:to; use --rename coll:db.coll2,coll3:coll4,db3.*:db4.*`,
      );
    }
    const names = renames.get(from) ?? [];
    if (names.includes(to)) throw new CliError("Usage", `--rename: ${from}:${to} is there twice`);
    renames.set(from, [...names, to]);
  }
  return Object.fromEntries(
    [...renames].map(([from, names]): [string, string | string[]] => [from, names.length === 1 ? names.join() : names]),
  );
}

/**
 * A number of rows, at least one.
 * @throws Usage for anything else
 */
export function countOption(option: string, text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count;
  throw new CliError("Usage", `${option}: ${JSON.stringify(text)} is no number of rows; use ${option} 10`);
}

/**
 * `a,b` as a list.
 * @throws Usage where a name is empty
 */
export function splitList(option: string, text: string): string[] {
  const entries = text.split(",").map((entry) => entry.trim());
  if (entries.some((entry) => entry === "")) {
    throw new CliError("Usage", `${option}: there is an empty name in ${JSON.stringify(text)}`);
  }
  return entries;
}

function parseDatabaseCollections(text: string): string[] {
  const problem = new CliError("Usage", '--database-collections: expected JSON such as {"db1":["coll1"],"db2":[]}');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw problem;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw problem;
  return Object.entries(parsed).flatMap(([database, collections]: [string, unknown]) => {
    if (!Array.isArray(collections) || collections.some((it) => typeof it !== "string")) throw problem;
    return collections.length === 0 ? [`${database}.*`] : collections.map((it) => `${database}.${it}`);
  });
}
