import { readFileSync } from "node:fs";
import validate from "asl-validator";
import { describe, expect, it } from "vitest";
import { functionSpecs, pascalCase } from "../../infra/functions.ts";
import { definitionOf } from "../../infra/pipeline-state-machine.ts";
import { lambdaErrors, outageErrorNames, transientErrorNames } from "../../src/core/execution/errors.ts";
import { readFailure } from "../../src/core/execution/failure.ts";
import { type Machine, machines } from "../../src/core/execution/machines.ts";
import { caughtFailure, fewBatches } from "../../src/core/execution/messages.ts";
import { claimTimes } from "../../src/core/format/claim.ts";
import type { Retrier } from "../support/run-asl.ts";

interface State {
  readonly Type: string;
  readonly Resource?: string;
  readonly TimeoutSeconds?: number;
  readonly Retry?: readonly Retrier[];
  readonly Catch?: readonly { ErrorEquals: readonly string[]; Next: string; ResultPath: string | null }[];
  readonly Next?: string;
  readonly Default?: string;
  readonly Choices?: readonly unknown[];
  readonly Result?: { Error?: string; failure?: unknown };
  readonly ItemProcessor?: { readonly States: Record<string, State> };
  readonly [field: string]: unknown;
}
interface Definition {
  readonly StartAt: string;
  readonly TimeoutSeconds: number;
  readonly States: Record<string, State>;
}

const announcement = "arn:aws:states:::events:putEvents";
/** Runs an execution of another machine and waits for its end. */
const child = "arn:aws:states:::states:startExecution.sync:2";

/** The definition with something in the place of every substitution, as CloudFormation fills it in. */
function definition(machine: Machine): Definition {
  return JSON.parse(
    definitionOf(machine)
      .replaceAll(/\$\{Partition\}/g, "aws")
      .replaceAll(/\$\{(\w+)FunctionArn\}/g, "arn:aws:lambda:eu-west-1:111122223333:function:$1")
      .replaceAll(/\$\{\w+\}/g, "substituted"),
  );
}

/** Every state, those inside maps too. */
function statesOf(machine: Machine): [string, State][] {
  const within = (states: Record<string, State>): [string, State][] =>
    Object.entries(states).flatMap(([name, state]) => [[name, state], ...within(state.ItemProcessor?.States ?? {})]);
  return within(definition(machine).States);
}

const tasksOf = (machine: Machine) => statesOf(machine).filter(([, { Type }]) => Type === "Task");
const stepsOf = (machine: Machine) =>
  tasksOf(machine).filter(([, { Resource }]) => Resource !== announcement && Resource !== child);
const hasMaps = (machine: Machine) => statesOf(machine).some(([, { Type }]) => Type === "Map");
const retried = ({ Retry = [] }: State) => Retry.flatMap(({ ErrorEquals }) => ErrorEquals);

interface Policy {
  readonly retriers: readonly Retrier[];
  /** Names of states; `*` stands for the rest of one. */
  readonly states: readonly string[];
}

/** The retry policies, read out of the two tables of the README, which tell them. */
function toldPolicies(): Map<string, Policy> {
  const readme = readFileSync(new URL("../../state-machines/README.md", import.meta.url), "utf8");
  const section = /\n## Retries\n(.*?)\n## /s.exec(readme)?.[1] ?? "";
  const rows = section
    .split("\n")
    .flatMap((line) => (line.startsWith("| ") ? [line.split("|").map((it) => it.trim())] : []));
  const policies = new Map<string, Policy>();
  for (const [, policy = "", names = "", attempts = "", waits = "", inAll = ""] of rows) {
    const told = [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? "");
    if (told.length === 0) continue; // a head, or the line below it
    const { retriers, states } = policies.get(policy) ?? { retriers: [], states: [] };
    if (attempts === "") {
      policies.set(policy, { retriers, states: [...states, ...told] });
      continue;
    }
    const [, interval, longest] = /^(\d+) s, doubling up to (\d+) s$/.exec(waits) ?? [];
    const retrier = {
      ErrorEquals: told,
      IntervalSeconds: Number(interval),
      BackoffRate: 2,
      MaxAttempts: Number(attempts),
      MaxDelaySeconds: Number(longest),
      JitterStrategy: "FULL",
    };
    expect(inAll, `${policy}: ${names}`).toBe(`${longestWaits(retrier)} s`);
    policies.set(policy, { retriers: [...retriers, retrier], states });
  }
  return policies;
}

/** Seconds all waits of a retrier take together, where the jitter shortens none. */
function longestWaits({ IntervalSeconds, BackoffRate, MaxAttempts, MaxDelaySeconds }: Retrier): number {
  const waits = Array.from({ length: MaxAttempts }, (_, nth) => IntervalSeconds * BackoffRate ** nth);
  return waits.reduce((sum, wait) => sum + Math.min(wait, MaxDelaySeconds), 0);
}

const isNamed = (name: string, pattern: string) =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

describe("the retry policies of state-machines/README.md", () => {
  it("are those of every state: a task has exactly one of them, another state none", () => {
    const policies = [...toldPolicies()];
    for (const [name, { Type, Retry }] of machines.flatMap(statesOf)) {
      const has = policies.filter(([, { states }]) => states.some((pattern) => isNamed(name, pattern)));

      expect(has.length, name).toBe(Type === "Task" ? 1 : 0);
      expect(Retry, name).toEqual(has[0]?.[1].retriers);
    }
  });

  it("name no state that no machine has", () => {
    const policies = [...toldPolicies()];
    const names = machines.flatMap(statesOf).map(([name]) => name);

    expect(policies.map(([policy]) => policy)).toEqual([
      "first",
      "later",
      "copy",
      "gently",
      "child",
      "release",
      "announce",
    ]);
    for (const pattern of policies.flatMap(([, { states }]) => states)) {
      expect(
        names.some((name) => isNamed(name, pattern)),
        pattern,
      ).toBe(true);
    }
  });
});

/** Whether its maps run Copy Segments; an export's have a function of their own. */
function copies(machine: Machine): boolean {
  return hasMaps(machine) && machine !== "export";
}

describe.each(machines)("state machine %s", (machine) => {
  it("is valid ASL", () => {
    const result = validate(definition(machine));

    expect(result.isValid, result.errorsText("\n")).toBe(true);
  });

  it("says of every state first what it is, why and where it goes, and at the end what becomes of errors", () => {
    const first = ["Type", "Comment", "Next", "End"];
    const last = ["Catch", "Retry"];

    for (const [name, state] of statesOf(machine)) {
      const fields = Object.keys(state);
      const between = fields.filter((field) => !first.includes(field) && !last.includes(field));
      const has = (field: string) => fields.includes(field);
      expect(fields, name).toEqual([...first.filter(has), ...between, ...last.filter(has)]);
    }
  });

  it("has only ARNs and names substituted, each of a function named as its state", () => {
    const substitutions = new Set([...definitionOf(machine).matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name ?? ""));
    const functions = functionSpecs
      .filter((spec) => spec.machine === machine || (spec.machine === "any" && copies(machine)))
      .map(({ name }) => pascalCase(name));

    expect([...substitutions].sort()).toEqual(
      [
        "Partition",
        hasMaps(machine) ? "WorkBucketName" : "RestoreStateMachineArn",
        "EventBusName",
        "StackName",
        ...functions.map((name) => `${name}FunctionArn`),
      ].sort(),
    );
    for (const [name, { Resource = "" }] of stepsOf(machine)) {
      const functionName = Resource.slice(Resource.lastIndexOf(":") + 1);
      // A task inside a map cannot have the name of one outside.
      const withinMaps: Record<string, string> = {
        "Copy Batch": "CopySegments",
        "Copy Batch Directly": "CopySegments",
        "Stage Batch Directly": "CopySegments",
        "Verify Batch Directly": "CopySegments",
        "Copy Gently": "CopySegments",
        "Copy Gently Directly": "CopySegments",
        "Stage Gently Directly": "CopySegments",
        "Verify Gently Directly": "CopySegments",
        "Read Row Batch": "ReadRows",
        "Read Row Batch Directly": "ReadRows",
        "Read Rows Gently": "ReadRows",
        "Read Rows Gently Directly": "ReadRows",
        "Export Batch": "ExportSegments",
        "Export Batch Directly": "ExportSegments",
        "Export Gently": "ExportSegments",
        "Export Gently Directly": "ExportSegments",
        "Import Further": "ImportSegments",
      };
      expect(functionName).toBe(withinMaps[name] ?? name.replaceAll(" ", ""));
    }
  });

  it("gives every task a time limit beyond its function's, and the machine one", () => {
    const timeouts = new Map(functionSpecs.map((spec) => [pascalCase(spec.name), spec.timeoutMinutes * 60]));

    for (const [name, { Resource = "", TimeoutSeconds = 0 }] of tasksOf(machine)) {
      const limit = timeouts.get(Resource.slice(Resource.lastIndexOf(":") + 1)) ?? 0;
      expect(TimeoutSeconds, name).toBeGreaterThan(limit);
    }
    expect(definition(machine).TimeoutSeconds).toBeGreaterThan(0);
  });

  it("retries exactly what is transient, outages after the first step, what Lambda itself reports, and functions that died", () => {
    for (const [name, state] of stepsOf(machine)) {
      if (name.startsWith("Release ")) continue;

      const outages = name.startsWith("Prepare ") ? [] : outageErrorNames;
      expect(state.Retry?.[0]?.ErrorEquals, name).toEqual(transientErrorNames);
      const { service, waking, network, throttled, killed, unanswered } = lambdaErrors;
      const isCopy = / (Batch|Gently)( Directly)?$/.test(name);
      expect(retried(state).slice(transientErrorNames.length), name).toEqual([
        ...outages,
        ...service,
        ...waking,
        ...network,
        ...throttled,
        // a copy that was killed goes on with less at once, in a state of its own
        ...(isCopy ? [] : killed),
        ...(/ Gently/.test(name) ? [] : unanswered),
      ]);
    }
  });

  it("waits five minutes for a network, and half an hour for the account's concurrency, however the jitter falls on average", () => {
    const averageWait = (errors: readonly string[], { Retry = [] }: State) =>
      longestWaits(Retry.find(({ ErrorEquals }) => ErrorEquals.some((it) => errors.includes(it))) as Retrier) / 2;

    for (const [name, state] of stepsOf(machine)) {
      expect(averageWait(lambdaErrors.waking, state), name).toBeGreaterThanOrEqual(300);
      expect(averageWait(lambdaErrors.network, state), name).toBeGreaterThanOrEqual(300);
      expect(averageWait(lambdaErrors.throttled, state), name).toBeGreaterThanOrEqual(1_500);
      // nobody takes what the execution holds for abandoned meanwhile
      expect(2 * averageWait(lambdaErrors.throttled, state), name).toBeLessThan(claimTimes.silentMilliseconds / 1_000);
    }
  });

  it("retries whatever happens to releasing and announcing: both are owed after a failure", () => {
    const owed = tasksOf(machine).filter(([name]) => /^(Release|Announce) /.test(name));

    expect(owed.length).toBeGreaterThanOrEqual(3);
    const { waking, network, throttled } = lambdaErrors;
    for (const [name, state] of owed) {
      const first = name.startsWith("Release ") ? [...waking, ...network, ...throttled] : [];
      expect(retried(state), name).toEqual([...first, "States.ALL"]);
    }
  });

  it("backs off with jitter and a longest delay in every retry", () => {
    for (const [name, { Retry = [] }] of tasksOf(machine)) {
      for (const retrier of Retry) {
        expect(retrier.BackoffRate, name).toBeGreaterThan(1);
        expect(retrier.MaxDelaySeconds, name).toBeLessThanOrEqual(60);
        expect(retrier.JitterStrategy, name).toBe("FULL");
        const has = (errors: readonly string[]) => retrier.ErrorEquals.some((error) => errors.includes(error));
        const isOutage = has(outageErrorNames);
        const waitsLong = isOutage || has(lambdaErrors.waking) || has(lambdaErrors.network);
        expect(retrier.MaxAttempts, name).toBeLessThanOrEqual(has(lambdaErrors.throttled) ? 60 : waitsLong ? 13 : 8);
        // jitter takes half of it away on average: a restart of minutes fits
        if (isOutage) expect(longestWaits(retrier), name).toBeGreaterThanOrEqual(600);
      }
    }
  });

  it("leads every failure to Release, from there to the announcement, and from there to Fail", () => {
    const { States } = definition(machine);
    const [release] = Object.keys(States).filter((name) => name.startsWith("Release "));
    const failing = Object.entries(States).filter(
      ([name, { Type }]) => ["Task", "Map"].includes(Type) && !/^(Release|Announce) /.test(name),
    );

    const { killed, unanswered } = lambdaErrors;
    for (const [name, { Type, Resource, Catch }] of failing) {
      const ErrorEquals = Resource === child ? ["States.Timeout"] : [...killed, ...unanswered];
      const ResultPath = `$.unanswered.${name.replaceAll(" ", "")}`;
      expect(Catch, name).toEqual([
        ...(Type === "Task" ? [{ ErrorEquals, ResultPath, Next: release }] : []),
        { ErrorEquals: ["States.ALL"], ResultPath: "$.failure", Next: release },
      ]);
    }
    // what is told where neither the step nor Release says anything
    const begin = States[definition(machine).StartAt];
    expect(begin?.Result).toMatchObject({ unanswered: {}, failure: { Error: "StepTimedOut" } });
    expect(readFailure(caughtFailure.parse(begin?.Result?.failure)).error).toBe("StepTimedOut");
    expect(States[release ?? ""]?.Parameters).toMatchObject({
      "failure.$": "$.failure",
      "unanswered.$": "$.unanswered",
    });
    const announced = States[release ?? ""]?.Next ?? "";
    expect(States[release ?? ""]?.Catch?.[0]?.Next).toBe(announced);
    const failed = States[announced]?.Next ?? "";
    expect(States[announced]?.Catch?.[0]?.Next).toBe(failed);
    expect(States[failed]).toEqual({ Type: "Fail", ErrorPath: "$.failure.Error", CausePath: "$.failure.Cause" });
  });

  it("gives up loops in the end, with an error of the pipeline and through Release", () => {
    const { States } = definition(machine);
    const counters = Object.entries(States).filter(([name]) => name.startsWith("Count "));
    for (const [name, { Parameters }] of statesOf(machine).filter(([it]) => / Round$/.test(it))) {
      expect(Parameters, name).toMatchObject({
        "events.$": expect.stringMatching(/^States\.MathAdd\(\$\.\w+\.events, \$\.\w+\.events\)$/),
      });
    }
    const bounds = Object.values(States).filter(
      ({ Type, Choices }) => Type === "Choice" && JSON.stringify(Choices).includes("NumericLessThan"),
    );

    expect(bounds.length).toBe(counters.length);
    for (const { Default = "" } of bounds) {
      expect(States[Default]?.Next).toMatch(/^Release /);
      expect(States[Default]?.Result?.Error).toMatch(/^[A-Z][A-Za-z]+$/);
    }
  });

  it("announces on the bus it is given, under one source, with the input and the outcome", () => {
    for (const [name, state] of tasksOf(machine).filter(([, { Resource }]) => Resource === announcement)) {
      const { Entries } = state.Parameters as { Entries: [{ Source: string; DetailType: string; Detail: object }] };
      const [{ Source, DetailType, Detail }] = Entries;

      expect(`Announce ${DetailType}`).toBe(name);
      expect(Source).toBe("milvus-backup");
      expect(Detail).toMatchObject({ machine, "execution.$": "$$.Execution.Id", "input.$": "$$.Execution.Input" });
      expect(Object.keys(Detail)).toContain(DetailType.endsWith("Failed") ? "failure.$" : "result.$");
      expect(state.ResultPath).toBeNull();
    }
  });
});

/** Events in the history of an execution: what each kind of state adds, and what a try that failed does. */
const eventsOf = { Task: 5, Choice: 2, Wait: 2, Pass: 2, Fail: 1, Succeed: 2, Map: 6, item: 2, retry: 3 };
const mostRetries = ({ Retry = [] }: State) => Retry.reduce((sum, { MaxAttempts }) => sum + MaxAttempts, 0);
/** The most that a state adds: all its retriers used up. */
function mostEvents(state: State): number {
  const own = (eventsOf[state.Type as keyof typeof eventsOf] ?? 0) + eventsOf.retry * mostRetries(state);
  if (state.Type !== "Map" || state.ItemReader !== undefined || state.Label !== undefined) return own;
  const item = Object.values(state.ItemProcessor?.States ?? {}).reduce(
    (sum, it) => sum + mostEvents(it),
    eventsOf.item,
  );
  return own + fewBatches * item;
}

/** The bounds of a loop in events, by the state that counts them. */
function eventBounds(states: Record<string, State>): number[] {
  const text = JSON.stringify(Object.values(states).flatMap(({ Choices = [] }) => Choices));
  return [...text.matchAll(/"\$\.\w+\.events","NumericLessThan":(\d+)/g)].map(([, bound]) => Number(bound));
}

it.each(["restore", "drill"] as const)(
  "no execution of %s reaches 25,000 events, whatever is retried how often",
  (machine) => {
    const { States } = definition(machine);
    const once = Object.values(States).reduce((sum, state) => sum + mostEvents(state), 0);
    // imports that go on in legs are counted by the second bound, which the first one is a part of; a leg has a map in place of a wait
    const [imports, legs = imports, ...others] = eventBounds(States) as [number, ...number[]];
    const withinLoops =
      machine === "drill" ? imports : imports + ((legs - imports) / 11) * 15 + others.reduce((a, b) => a + b, 0);

    expect(once + withinLoops).toBeLessThan(25_000);
    for (const { ItemProcessor } of Object.values(States).filter(({ Label }) => Label === "GoOnImporting")) {
      const leg = ItemProcessor?.States ?? {};
      const atOnce = Object.values(leg).reduce((sum, state) => sum + mostEvents(state), 0);
      expect(atOnce + Math.max(...eventBounds(leg))).toBeLessThan(25_000);
    }
  },
);

it("reads rows in maps that differ from those that look at objects in names, function and plan only", () => {
  const { States } = definition("verify");
  const asRows = (state: State | undefined) =>
    JSON.parse(
      JSON.stringify({ ...state, Comment: "", Next: "" })
        .replaceAll("Verify Batch Directly", "Read Row Batch Directly")
        .replaceAll("Verify Gently Directly", "Read Rows Gently Directly")
        .replaceAll("Copy Batch", "Read Row Batch")
        .replaceAll("Copy Gently", "Read Rows Gently")
        .replaceAll('"Batch Failed"', '"Row Batch Failed"')
        .replaceAll("A batch could not be copied", "Rows of a batch could not be read")
        .replaceAll("VerifySegments", "ReadRows")
        .replaceAll("CopySegments", "ReadRows")
        .replaceAll("$.prepared.few", "$.prepared.rows.few")
        .replaceAll("$.prepared.itemsKey", "$.prepared.rows.itemsKey"),
    );
  const plain = (state: State | undefined) => ({ ...state, Comment: "", Next: "" });

  expect(plain(States["Read Rows"])).toEqual(asRows(States["Verify Segments"]));
  expect(plain(States["Read Rows Directly"])).toEqual(asRows(States["Verify Segments Directly"]));
  expect([States["Verify Segments"]?.Next, States["Read Rows"]?.Next]).toEqual(["Check Rows Plan", "Finalize Verify"]);
});

describe.each(machines.filter(hasMaps))("state machine %s", (machine) => {
  it("copies a small plan within the execution, just as it would in map runs", () => {
    const states = definition(machine).States;
    const maps = Object.entries(states).filter(
      ([name, { Type, Next }]) => Type === "Map" && Next !== "Count Import Round" && !name.startsWith("Read Rows"),
    );
    const [[direct = "", inline], [, distributed]] = maps as [[string, State], [string, State]];
    const copiesOf = ({ ItemProcessor }: State) =>
      Object.values(ItemProcessor?.States ?? {})
        .filter(({ Type }) => Type === "Task")
        .map(({ Comment, Catch, ...copy }) => copy);

    const failed = { ErrorEquals: ["States.ALL"], ResultPath: null, Next: "Batch Failed" };
    const { killed, unanswered } = lambdaErrors;
    const goesOnGently = (Next: string) => ({ ErrorEquals: [...killed, ...unanswered], ResultPath: "$.died", Next });

    expect(maps).toHaveLength(2);
    expect(inline).toMatchObject({
      ItemsPath: "$.prepared.few",
      ItemProcessor: { ProcessorConfig: { Mode: "INLINE" } },
    });
    expect(copiesOf(inline)).toHaveLength(2);
    expect(copiesOf(inline)).toEqual(copiesOf(distributed));
    const does = copies(machine) ? "Copy" : "Export";
    const gently = { Catch: [goesOnGently(`${does} Gently`)] };
    expect(distributed.ItemProcessor?.States).toMatchObject({ [`${does} Batch`]: gently });
    // a map run fails without a reason, and so does this: Release looks for the reason in either case
    expect(inline.ItemProcessor?.States).toMatchObject({
      [direct.replace("Segments", "Batch")]: {
        Catch: [goesOnGently(direct.replace("Segments", "Gently")), failed],
      },
      [direct.replace("Segments", "Gently")]: { Catch: [failed] },
      "Batch Failed": { Type: "Fail", Error: "CopyFailed" },
    });
    for (const field of ["Next", "ItemSelector", "MaxConcurrency", "ResultPath", "Catch"]) {
      expect(inline[field], field).toEqual(distributed[field]);
    }
    expect(inline.MaxConcurrency).toBeGreaterThanOrEqual(fewBatches);
    // of executions that an earlier version planned nothing says how few there are
    const choices = Object.values(states).flatMap(({ Choices = [] }) => Choices) as {
      Variable?: string;
      Next?: string;
    }[];
    const [first, second] = choices.filter(({ Variable }) => /^\$\.prepared\.(few|batches)$/.test(Variable ?? ""));
    expect(first).toEqual({ Variable: "$.prepared.few", IsPresent: true, Next: direct });
    expect(second?.Next).toBe(direct.replace(" Directly", ""));
  });

  it("reads the map's items from the work bucket and keeps nothing of its results", () => {
    const [, map] = statesOf(machine).find(([, { ItemReader }]) => ItemReader !== undefined) ?? [];

    expect(map).toMatchObject({
      ItemReader: {
        Resource: "arn:aws:states:::s3:getObject",
        ReaderConfig: { InputType: "JSON" },
        Parameters: { "Key.$": "$.prepared.itemsKey" },
      },
      ItemSelector: { "execution.$": "$$.Execution.Name", "batchKey.$": "$$.Map.Item.Value.batchKey" },
      ItemProcessor: {
        ProcessorConfig: { Mode: "DISTRIBUTED", ExecutionType: "STANDARD" },
        States: { [copies(machine) ? "Copy Batch" : "Export Batch"]: { OutputPath: null } },
      },
      ToleratedFailurePercentage: 0,
      ResultPath: null,
    });
    expect(map?.MaxConcurrency).toBeLessThanOrEqual(16);
  });
});

it("state machine drill runs its restore as an execution with a name, and keeps nothing of its answer", () => {
  expect(definition("drill").States["Run Restore"]).toMatchObject({
    Resource: child,
    Parameters: {
      StateMachineArn: "substituted",
      "Name.$": "$.prepared.restoreExecution",
      "Input.$": "$.prepared.restore",
    },
    ResultPath: null,
  });
});
