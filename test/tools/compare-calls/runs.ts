import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { garbageCollection } from "../../../src/adapters/milvus/garbage-collection.ts";
import { closeMilvusConnections, connectMilvus } from "../../../src/adapters/milvus/index.ts";
import { parquetPayloads } from "../../../src/adapters/parquet/index.ts";
import { storeOpener } from "../../../src/adapters/store-opener.ts";
import type { Machine } from "../../../src/core/execution/machines.ts";
import type { ImportContext } from "../../../src/steps/restore/import-segments.ts";
import { runMachine } from "../../support/asl-machine.ts";
import type { JournalEntry } from "../../support/fake-milvus/records.ts";
import { memoryContext } from "../../support/memory-context.ts";
import { MemoryRegistry } from "../../support/memory-registry.ts";
import { executionOf } from "../../support/run-machines.ts";
import type { World } from "./world.ts";

export const verbs = ["create", "restore"] as const;
export type Verb = (typeof verbs)[number];

/** What a tool asked the server that a verb is about; why it failed, where it did. */
interface Run {
  readonly calls: readonly JournalEntry[];
  readonly problem?: string;
}

export type Runs = Readonly<Record<Verb, Run>>;

const backupName = "compared";
const suffix = "_bak";

/** milvus-backup as a process of its own; its restore takes 3 s for every import at least. */
export async function runTheirs(binary: string, world: World): Promise<Runs> {
  const folder = await mkdtemp(join(tmpdir(), "compare-calls-"));
  try {
    const run = async (letter: "a" | "b", args: readonly string[]): Promise<Run> => {
      const { fake, yaml } = world[letter];
      const file = join(folder, `${letter}.yaml`);
      await writeFile(file, yaml);
      const from = fake.model.journal.length;
      const all = ["--config", file, ...args];
      const result = await execa(binary, all, {
        cwd: folder,
        reject: false,
        all: true,
        stdin: "ignore",
        timeout: 300_000,
      });
      const calls = fake.model.journal.slice(from);
      return result.exitCode === 0 ? { calls } : { calls, problem: result.all.slice(-1_500) };
    };
    return {
      create: await run("a", ["create", "-n", backupName, "--rbac"]),
      restore: await run("b", [
        ...["restore", "-n", backupName, "-s", suffix],
        ...["--rebuild_index", "--use_v2_restore", "--rbac"],
      ]),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ours: the state machines as their text says them, with the real steps and adapters; work files and the clock are in memory. */
export async function runOurs(world: World): Promise<Runs> {
  const environments = new MemoryRegistry();
  for (const { environment } of [world.a, world.b]) environments.register(environment);
  const memory = memoryContext();
  const context: ImportContext = {
    work: memory.work,
    environments,
    allowed: {},
    openStore: storeOpener(environments),
    connectMilvus: (environment) => connectMilvus(environment),
    payloads: async () => parquetPayloads,
    executions: memory.executions,
    garbageCollection,
    clock: memory.clock,
    log: memory.log,
  };
  const run = async (letter: "a" | "b", machine: Machine, input: object): Promise<Run> => {
    const { fake } = world[letter];
    const from = fake.model.journal.length;
    const ended = await runMachine({ machine, input, execution: executionOf(`${machine}-1`), context });
    const calls = fake.model.journal.slice(from);
    return ended.status === "succeeded" ? { calls } : { calls, problem: `${ended.error}: ${ended.cause}` };
  };
  try {
    return {
      create: await run("a", "backup", { environment: "a", backupName, rbac: true }),
      restore: await run("b", "restore", { environment: "b", backupName, suffix, rbac: true }),
    };
  } finally {
    closeMilvusConnections();
  }
}
