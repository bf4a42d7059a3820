import type { FunctionName } from "../src/core/deployment/function-names.ts";
import type { Machine } from "../src/core/execution/machines.ts";
import { workKeyPatterns } from "../src/core/execution/work-layout.ts";

/**
 * What a function may do with the objects below a root path. `upload`: write what may be too large for one request, in parts, and remove the
 * parts that a killed function left. `prove`: write what lies beside the logs and metas of a backup, `retract`: take claims and records there
 * away, `say-drilled`: say there how a drill ended. `ask-locks`: whether the bucket locks objects, `see-locks`: how objects are locked, `lock`:
 * lock them. None may take a lock off. `report`: write the page about all backups of a root.
 */
export type BackupAccess =
  | "read"
  | "write"
  | "upload"
  | "delete"
  | "prove"
  | "retract"
  | "say-drilled"
  | "ask-locks"
  | "see-locks"
  | "lock"
  | "report";

/** What a function may do with data, where environments use the functions' own role. Nobody changes what is Milvus's. */
export interface DataAccess {
  /** Below Milvus's root path. */
  readonly milvus?: "list" | "read";
  /** Below `milvus-backup-staging/` of Milvus's bucket. */
  readonly staging?: readonly ("read" | "write" | "upload" | "delete")[];
  readonly backups?: readonly BackupAccess[];
  /** Below the root paths that exports go to. */
  readonly exports?: readonly ("read" | "write" | "upload" | "delete")[];
}

/**
 * Which machine's files in the work bucket a function works on. `any`: steps of every machine; the others are invoked by a rule of
 * EventBridge, or by API Gateway, and work on no machine's files.
 */
export type Owner = Machine | "any" | "retention" | "api" | "none";

/** Keys in the work bucket: those a machine's functions only read, leave there, and also delete. */
interface WorkKeys {
  readonly seen?: readonly string[];
  readonly kept: readonly string[];
  readonly removable: readonly string[];
}

const { drills, executions, executionsOf, readers, restores } = workKeyPatterns;

export const workKeys: Readonly<Record<Owner, WorkKeys>> = {
  backup: { kept: [executionsOf("backup")], removable: [] },
  // Its restore is an execution of the other machine, and what that left is for the drill to remove.
  drill: { kept: [executionsOf("drill"), executionsOf("restore")], removable: [drills, readers, restores] },
  export: { kept: [executionsOf("export")], removable: [readers] },
  restore: { kept: [executionsOf("restore")], removable: [readers, restores] },
  transfer: { kept: [executionsOf("transfer")], removable: [readers] },
  verify: { kept: [executionsOf("verify")], removable: [readers] },
  any: { kept: [executions], removable: [] },
  // Deletes no backup that somebody reads.
  retention: { seen: [readers], kept: [], removable: [] },
  // The same, and tells how far executions are.
  api: { seen: [readers, executionsOf("backup"), executionsOf("restore")], kept: [], removable: [] },
  none: { kept: [], removable: [] },
};

export interface FunctionSpec {
  /** Folder below `functions/`, and the last part of the function's name. */
  readonly name: FunctionName;
  readonly machine: Owner;
  /** Runs first: tells unknown environments by name, takes leases and claims from executions that are over. */
  readonly first?: boolean;
  /** Asks whether other executions are over. */
  readonly asks?: boolean;
  /** Reads every registered environment, although it is about some: another one may protect the place that these keep their backups in. */
  readonly seesAllEnvironments?: boolean;
  /** Signs backups, where the deployment does. */
  readonly signs?: boolean;
  /** Looks who signed a backup. */
  readonly verifiesSignatures?: boolean;
  /** Knows the executions of the machine `restore` by their names, and may end them. */
  readonly runsRestores?: boolean;
  /** Removes no work files, where others of its machine do. */
  readonly keepsWork?: boolean;
  /** Writes no work files. */
  readonly writesNoWork?: boolean;
  readonly timeoutMinutes: number;
  readonly memoryMiB: number;
  /** MiB of a half of V8's young generation; as large as V8 sees fit where absent. */
  readonly semiSpaceMiB?: number;
  /** Absent where it touches no data: then it assumes no role either. */
  readonly dataAccess?: DataAccess;
}

/** The longest a Lambda may take; every step can be tried again and goes on where it was. */
const longest = 15;
/** CPU comes with memory: at 1 GiB the SDKs load in a few tenths of a second, below it slower and no cheaper. */
const usual = 1024;

/** Reads, writes and deletes. */
const all = ["read", "write", "delete"] as const;

/**
 * Counts what the schedules made (metrics.ts). Deletes copies of segments that vanished between two attempts. Asks who else may use
 * shared segments, where some of them are in its way.
 */
export const finalizeBackup: FunctionSpec = step(
  "finalize-backup",
  "backup",
  { backups: [...all, "upload", "ask-locks", "see-locks", "lock"] },
  { asks: true, signs: true },
);

/** Counts the drills that ended well. Says beside the backup how the drill ended. */
export const cleanDrill: FunctionSpec = step(
  "clean-drill",
  "drill",
  { staging: ["read", "delete"], backups: ["read", "say-drilled"] },
  { asks: true, runsRestores: true },
);

/** Every function of the state machines. */
export const functionSpecs: readonly FunctionSpec[] = [
  // Takes its claim on the backup's folder, and away again where something else lies there.
  // Reads heads of logs, and row IDs where a clustering compaction may be under way.
  step("prepare-backup", "backup", { milvus: "read", backups: [...all, "ask-locks"] }, { first: true }),
  // One whole CPU for streamed copies, whose bytes are hashed and encrypted on the way.
  // Deletes what an earlier attempt copied of a segment that is another one now.
  step(
    "copy-segments",
    "any",
    { milvus: "read", staging: [...all, "upload"], backups: [...all, "upload", "see-locks", "lock"] },
    // Of what passes through, nothing lives longer than a request: collected early it takes half of the memory.
    { memoryMiB: 1769, semiSpaceMiB: 2 },
  ),
  finalizeBackup,
  // Marks its claim as failed, or takes it away.
  step("release-backup", "backup", { backups: all }, { timeoutMinutes: 5 }),
  // Ends the restore of a drill that died, removes what it staged, and its leases; so do those that clean up.
  step(
    "prepare-drill",
    "drill",
    { staging: ["read", "delete"], backups: ["read"] },
    { first: true, runsRestores: true },
  ),
  // Binlogs of a few segments, and of WebAssembly's copies of them.
  step("search-drill", "drill", { backups: ["read"] }, { memoryMiB: 3008, keepsWork: true }),
  cleanDrill,
  step(
    "release-drill",
    "drill",
    { staging: ["read", "delete"], backups: ["read", "say-drilled"] },
    { asks: true, runsRestores: true },
  ),
  // Deletes what a failed restore staged, when asked to discard it.
  // Takes its targets, by small objects in the bucket of their Milvus.
  step("prepare-restore", "restore", { staging: all, backups: ["read"] }, { first: true, verifiesSignatures: true }),
  step("recreate-collections", "restore", { staging: ["read", "write"] }, { keepsWork: true }),
  // Says there that it goes on.
  // Reads the rows of small partitions, which are inserted.
  step("import-segments", "restore", { staging: ["read", "write"], backups: ["read"] }, { keepsWork: true }),
  // Deletes the staging files. Gives the targets back, and says what was restored there.
  // Reads users and roles, which no other file has, once more from the metas.
  step("finish-restore", "restore", { staging: all, backups: ["read"] }),
  step("release-restore", "restore", { staging: all }, { timeoutMinutes: 5 }),
  step("prepare-transfer", "transfer", { backups: [...all, "ask-locks"] }, { first: true, keepsWork: true }),
  // Deletes what an earlier transfer of another backup of that name left.
  step("finalize-transfer", "transfer", { backups: [...all, "upload", "see-locks", "lock"] }, { writesNoWork: true }),
  step("release-transfer", "transfer", { backups: all }, { timeoutMinutes: 5 }),
  // Backups are only read here; claims, files and manifests go to where exports go.
  step("prepare-export", "export", { backups: ["read"], exports: all }, { first: true, keepsWork: true }),
  // A log of each field, a file, and WebAssembly's copies of both; deletes; and a CPU and a half to decode and to compress.
  step(
    "export-segments",
    "export",
    { backups: ["read"], exports: ["read", "write", "upload"] },
    { memoryMiB: 3008, keepsWork: true },
  ),
  // Deletes what an attempt left that was planned otherwise.
  step("finalize-export", "export", { backups: ["read"], exports: [...all, "upload"] }, { writesNoWork: true }),
  step("release-export", "export", { exports: all }, { timeoutMinutes: 5 }),
  // Change nothing of a backup: they write what was found out about it, and the manifest it never had, under a claim.
  step("prepare-verify", "verify", { backups: ["read", "prove"] }, { first: true, keepsWork: true }),
  // Binlogs of a segment, WebAssembly's copies of them, and the deletes that apply.
  step("read-rows", "verify", { backups: ["read"] }, { memoryMiB: 3008, keepsWork: true }),
  step("finalize-verify", "verify", { backups: ["read", "prove", "retract", "upload"] }),
  step("release-verify", "verify", { backups: ["read", "prove", "retract"] }, { timeoutMinutes: 5 }),
];

/** Deletes what the rules of a schedule do not keep, under a claim; deployed with the first schedule that has rules. */
export const pruneBackups: FunctionSpec = step(
  "prune-backups",
  "retention",
  { backups: [...all, "ask-locks", "see-locks"] },
  { first: true },
);

/** Starts the restore of a backup that appeared; deployed with the first restore trigger. */
export const startTriggeredRestore: FunctionSpec = step("start-triggered-restore", "none", undefined, {
  timeoutMinutes: 1,
});

/** Writes the page about all backups beside them, and can write nothing else; deployed with the first report. */
export const writeReport: FunctionSpec = step("write-report", "none", { backups: ["read", "report"] });

/** Answers the REST API: starts backups and restores, tells of them, deletes backups under a claim; deployed with the section `api`. */
export const serveApi: FunctionSpec = step(
  "serve-api",
  "api",
  { milvus: "list", backups: [...all, "ask-locks", "see-locks"] },
  // API Gateway waits 29 s, and the function answers before.
  { first: true, seesAllEnvironments: true, timeoutMinutes: 0.5 },
);

/** The functions that rules, schedules and API Gateway invoke: deployed where pipeline.yaml has what they are for. */
export const eventFunctionSpecs: readonly FunctionSpec[] = [pruneBackups, startTriggeredRestore, writeReport, serveApi];

/** Whether a function tells an unknown environment by naming the registered ones. */
export function namesEnvironments(spec: FunctionSpec): boolean {
  return spec.first === true || spec.machine === "none";
}

/** `prepare-backup` as CDK id and substitution have it: `PrepareBackup`. */
export function pascalCase(name: string): string {
  return name
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

function step(
  name: FunctionName,
  machine: Owner,
  dataAccess: DataAccess | undefined,
  overrides: Partial<FunctionSpec> = {},
): FunctionSpec {
  const base = { name, machine, timeoutMinutes: longest, memoryMiB: usual };
  return { ...base, ...(dataAccess && { dataAccess }), ...overrides };
}
