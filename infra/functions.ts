/** What a function may do with the objects of a data bucket, where environments use the functions' own role. */
export type DataAccess = "read" | "write" | "delete";

/** Which machine's files in the work bucket a function works on; Copy Segments works for all. */
export type Machine = "backup" | "restore" | "transfer";

/** The machines that are deployed. `transfer` joins them with its functions; its definition is held by the same tests already. */
export const deployedMachines: readonly Machine[] = ["backup", "restore"];

export interface FunctionSpec {
  /** Folder below `functions/`, and the last part of the function's name. */
  readonly name: string;
  readonly machine: Machine | "any";
  /** Runs first in its machine: tells unknown environments by name, takes leases from executions that are over. */
  readonly first?: boolean;
  readonly timeoutMinutes: number;
  readonly memoryMiB: number;
  readonly dataAccess: readonly DataAccess[];
}

/** The longest a Lambda may take; every step can be tried again and goes on where it was. */
const longest = 15;
/** CPU comes with memory: at 1 GiB the SDKs load in a few tenths of a second, below it slower and no cheaper. */
const usual = 1024;

/** Every function of every machine. */
export const functionSpecs: readonly FunctionSpec[] = [
  step("prepare-backup", "backup", ["read"], { first: true }),
  // One whole CPU for streamed copies, whose bytes are hashed and encrypted on the way.
  { name: "copy-segments", machine: "any", timeoutMinutes: longest, memoryMiB: 1769, dataAccess: ["read", "write"] },
  // Deletes copies of segments that vanished between two attempts.
  step("finalize-backup", "backup", ["read", "write", "delete"]),
  step("release-backup", "backup", [], { timeoutMinutes: 5 }),
  // Deletes what a failed restore staged, when asked to discard it.
  step("prepare-restore", "restore", ["read", "delete"], { first: true }),
  step("recreate-collections", "restore", []),
  step("import-segments", "restore", ["read"]),
  // Deletes the staging files.
  step("finish-restore", "restore", ["read", "delete"]),
  step("release-restore", "restore", ["read", "delete"], { timeoutMinutes: 5 }),
  step("prepare-transfer", "transfer", ["read"], { first: true }),
  step("finalize-transfer", "transfer", ["read", "write"]),
  step("release-transfer", "transfer", [], { timeoutMinutes: 5 }),
];

/** The functions of the machines that are deployed. */
export const deployedFunctions: readonly FunctionSpec[] = functionSpecs.filter(
  ({ machine }) => machine === "any" || deployedMachines.includes(machine),
);

/** `prepare-backup` as CDK id and substitution have it: `PrepareBackup`. */
export function pascalCase(name: string): string {
  return name
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

function step(
  name: string,
  machine: Machine,
  dataAccess: readonly DataAccess[],
  overrides: Partial<FunctionSpec> = {},
): FunctionSpec {
  return { name, machine, dataAccess, timeoutMinutes: longest, memoryMiB: usual, ...overrides };
}
