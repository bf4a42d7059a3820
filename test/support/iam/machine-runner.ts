import { readFileSync } from "node:fs";
import { pascalCase } from "../../../infra/functions.ts";
import type { Machine } from "../../../src/core/execution/machines.ts";
import { type AslExecution, type Definition, runAsl } from "../run-asl.ts";
import { machineArn } from "./role-policies.ts";

/**
 * What happens to a function of one execution: it fails before or after its work, its execution ends there and then, without Release, or something happens right
 * before its first run. And to the restore of a drill: Step Functions says that it goes on, whatever became of it.
 */
export type Fates = Readonly<Record<string, "fails" | "fails-after" | "dies" | "goes-on" | (() => Promise<void>)>>;

/** What ends an execution in its tracks: no state catches it. */
const died = Symbol("the execution died");

interface RunnerOptions {
  /** @param name of the function, as CDK has it: `PrepareBackup` */
  readonly invoke: (name: string, event: unknown) => Promise<unknown>;
  /** Begins an execution of `restore` that does not end by itself. */
  readonly beginRestore: (name: string) => Promise<void>;
  readonly readItems: (key: string) => Promise<readonly unknown[]>;
}

/** Runs the machines as their texts say; what they start are executions of one another. */
export class MachineRunner {
  readonly #options: RunnerOptions;
  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** @returns how it ended; undefined where it died */
  async run(machine: Machine, name: string, input: object, fates: Fates = {}): Promise<AslExecution | undefined> {
    const Execution = {
      Id: `${machineArn(machine).replace(":stateMachine:", ":execution:")}:${name}`,
      Name: name,
      StartTime: new Date().toISOString(),
      Input: input,
    };
    const happened = new Set<string>();
    const task = (resource: string, asked: unknown) => this.#task(resource, asked, fates, happened);
    const items = ({ Key = "" }: Record<string, string>) => this.#options.readItems(Key);
    const world = { task, items, wait: async () => {} };
    try {
      return await runAsl(definitionOf(machine), input, world, { Execution });
    } catch (error) {
      if (error === died) return undefined;
      throw error;
    }
  }

  async #task(resource: string, asked: unknown, fates: Fates, happened: Set<string>): Promise<unknown> {
    if (resource.includes(":startExecution")) return this.#runRestore(asked as { Name: string; Input: object }, fates);
    const name = /(\w+)FunctionArn/.exec(resource)?.[1];
    if (name === undefined) return {};
    if (fates[name] === "dies") throw died;
    if (fates[name] === "fails") throw madeToFail();
    const before = fates[name];
    if (typeof before === "function" && !happened.has(name)) {
      happened.add(name);
      await before();
    }
    const answer = await this.#options.invoke(name, asked);
    if (fates[name] === "fails-after") throw madeToFail();
    return answer;
  }

  async #runRestore(
    { Name, Input }: { readonly Name: string; readonly Input: object },
    fates: Fates,
  ): Promise<unknown> {
    if (fates.restore === "goes-on") await this.#options.beginRestore(Name);
    const ended = await this.run("restore", Name, Input, fates);
    if (ended === undefined) throw died;
    if (ended.status === "failed") throw Object.assign(new Error(ended.cause), { name: ended.error });
    return { Output: ended.output };
  }
}

function madeToFail(): Error {
  return Object.assign(new Error("it was made to fail"), { name: "MadeToFail" });
}

function definitionOf(machine: Machine): Definition {
  const text = readFileSync(new URL(`../../../state-machines/${machine}.asl.json`, import.meta.url), "utf8");
  return JSON.parse(text) as Definition;
}

/** `prepare-backup` of `PrepareBackup`. @throws Error for what is no function */
export function functionName(id: string, names: readonly string[]): string {
  const name = names.find((each) => pascalCase(each) === id);
  if (name === undefined) throw new Error(`no function ${id}`);
  return name;
}
