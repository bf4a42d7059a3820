/** States of a definition as far as the pipeline's machines use the language. */
interface State {
  readonly Type: string;
  readonly Next?: string;
  readonly End?: boolean;
  readonly Resource?: string;
  readonly InputPath?: string;
  readonly Parameters?: unknown;
  readonly Result?: unknown;
  readonly ResultSelector?: unknown;
  readonly ResultPath?: string | null;
  readonly OutputPath?: string | null;
  readonly SecondsPath?: string;
  readonly Choices?: readonly Rule[];
  readonly Default?: string;
  readonly Catch?: readonly Catcher[];
  readonly Retry?: readonly Retrier[];
  readonly ItemsPath?: string;
  readonly ItemReader?: { readonly Parameters: unknown };
  readonly ItemSelector?: unknown;
  readonly ToleratedFailurePercentage?: number;
  readonly ItemProcessor?: Definition;
  readonly Error?: string;
  readonly Cause?: string;
  readonly ErrorPath?: string;
  readonly CausePath?: string;
}

interface Catcher {
  readonly ErrorEquals: readonly string[];
  readonly ResultPath: string | null;
  readonly Next: string;
}

export interface Retrier {
  readonly ErrorEquals: readonly string[];
  readonly IntervalSeconds: number;
  readonly BackoffRate: number;
  readonly MaxAttempts: number;
  readonly MaxDelaySeconds: number;
  readonly JitterStrategy: string;
}

interface Rule {
  readonly Variable?: string;
  readonly StringEquals?: string;
  readonly NumericLessThan?: number;
  readonly NumericGreaterThan?: number;
  readonly IsPresent?: boolean;
  readonly And?: readonly Rule[];
  readonly Next?: string;
}

export interface Definition {
  readonly ProcessorConfig?: { readonly Mode: "INLINE" | "DISTRIBUTED" };
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}

/** What an execution of a machine needs from outside. */
export interface AslWorld {
  /** Runs a task. @param resource as the definition has it: `${ImportSegmentsFunctionArn}` */
  task(resource: string, input: unknown): Promise<unknown>;
  /** The items of a map that reads them. */
  items(parameters: Record<string, string>): Promise<readonly unknown[]>;
  wait(seconds: number): Promise<void>;
}

/** Where an execution stood when somebody aborted it, or when it ran out of time: a redrive begins there. */
export interface Standing {
  readonly state: string;
  readonly data: unknown;
}

/** Thrown by a task: the execution is aborted there, without Catch and Release. */
export class Aborted extends Error {}

export interface AslExecution {
  readonly status: "succeeded" | "failed" | "aborted";
  /** Of one that did not succeed: a state of type Fail, or where it was aborted. */
  readonly standing?: Standing;
  readonly output: unknown;
  readonly error?: string;
  readonly cause?: string;
  /** Events in the history of each execution: of the machine's own first, then of the children of its maps. */
  readonly events: readonly number[];
}

/** What an execution may have; the next event ends it, without Release. */
const mostEvents = 25_000;

class TaskFailed extends Error {}
/** All that a distributed map says of an item that failed. */
const thresholdExceeded = "States.ExceedToleratedFailureThreshold";

/**
 * Runs a state machine as its text says, with JSONPath, its retries without jitter, and counts the events of every execution.
 * @param redriven where it goes on, as a redrive does: with the data it had there
 */
export async function runAsl(
  definition: Definition,
  input: unknown,
  world: AslWorld,
  context: Record<string, unknown>,
  redriven?: Standing,
): Promise<AslExecution> {
  const children: number[] = [];
  const { events, ...ended } = await runStates(definition, input, world, context, children, redriven);
  return { ...ended, events: [events, ...children] };
}

type Ended = Omit<AslExecution, "events"> & { readonly events: number };

async function runStates(
  { StartAt, States }: Definition,
  input: unknown,
  world: AslWorld,
  context: Record<string, unknown>,
  children: number[],
  redriven?: Standing,
): Promise<Ended> {
  let data = redriven ? redriven.data : input;
  // started, and how it ended
  let events = 2;
  const more = (of: number) => {
    events += of;
    if (events > mostEvents) throw new Error("more events than an execution may have");
  };
  for (let name = redriven?.state ?? StartAt; ; ) {
    const state = States[name];
    if (!state) throw new Error(`no state ${name}`);
    const scope = { data, context };
    more({ Task: 5, Map: 4 }[state.Type] ?? 2);
    if (state.Type === "Succeed") return { status: "succeeded", output: outputOf(state, data), events };
    if (state.Type === "Fail") {
      const error = state.Error ?? String(valueAt(state.ErrorPath ?? "", scope));
      return {
        status: "failed",
        standing: { state: name, data },
        output: undefined,
        error,
        cause: state.Cause ?? String(valueAt(state.CausePath ?? "", scope)),
        events,
      };
    }
    if (state.Type === "Choice") {
      name = state.Choices?.find((rule) => holds(rule, scope))?.Next ?? state.Default ?? "";
      continue;
    }
    if (state.Type === "Wait") await world.wait(Number(valueAt(state.SecondsPath ?? "", scope)));
    else {
      try {
        data = outputOf(state, withResult(state, data, await triedResult(state, scope, world, children, more)));
      } catch (error) {
        if (error instanceof Aborted)
          return { status: "aborted", standing: { state: name, data }, output: undefined, events };
        if (!(error instanceof Error)) throw error;
        const caught = matching(state.Catch, error.name);
        if (!caught) throw error;
        const Cause = JSON.stringify({ errorType: error.name, errorMessage: `${error.name}: ${error.message}` });
        data = withResult(caught, data, { Error: error.name, Cause });
        name = caught.Next;
        continue;
      }
    }
    if (state.End) return { status: "succeeded", output: data, events };
    name = state.Next ?? "";
  }
}

interface Scope {
  readonly data: unknown;
  readonly context: Record<string, unknown>;
}

function matching<T extends { readonly ErrorEquals: readonly string[] }>(list: readonly T[] = [], error: string) {
  return list.find(({ ErrorEquals }) => ErrorEquals.includes(error) || ErrorEquals.includes("States.ALL"));
}

/** The first retrier that names an error decides. @param more hears of events that a try costs, and an item without a history of its own */
async function triedResult(
  state: State,
  { data, context }: Scope,
  world: AslWorld,
  children: number[],
  more: (events: number) => void,
): Promise<unknown> {
  const tried = new Map<Retrier, number>();
  for (let RetryCount = 0; ; RetryCount += 1) {
    const scope = { data, context: { ...context, State: { RetryCount } } };
    try {
      return await resultOf(state, scope, world, children, more);
    } catch (error) {
      if (!(error instanceof Error) || error instanceof Aborted) throw error;
      const retrier = matching(state.Retry, error.name);
      const times = retrier === undefined ? 0 : (tried.get(retrier) ?? 0);
      if (retrier === undefined || times >= retrier.MaxAttempts) throw error;
      tried.set(retrier, times + 1);
      more(3); // scheduled, started, failed
      const { IntervalSeconds, BackoffRate, MaxDelaySeconds } = retrier;
      await world.wait(Math.min(IntervalSeconds * BackoffRate ** times, MaxDelaySeconds));
    }
  }
}

async function resultOf(
  state: State,
  scope: Scope,
  world: AslWorld,
  children: number[],
  more: (events: number) => void,
): Promise<unknown> {
  const given = state.InputPath ? valueAt(state.InputPath, scope) : scope.data;
  const asked = state.Parameters === undefined ? given : filled(state.Parameters, scope);
  if (state.Type === "Pass") return state.Result ?? asked;
  if (state.Type === "Task") {
    const answer = await world.task(state.Resource ?? "", asked);
    return state.ResultSelector ? filled(state.ResultSelector, { ...scope, data: answer }) : answer;
  }
  const items = state.ItemReader
    ? await world.items(filled(state.ItemReader.Parameters, scope) as Record<string, string>)
    : (valueAt(state.ItemsPath ?? "$", scope) as readonly unknown[]);
  const results: unknown[] = [];
  for (const item of items) {
    const itemContext = { ...scope.context, Map: { Item: { Value: item } } };
    const processor = state.ItemProcessor;
    if (!processor) throw new Error("a map without processor");
    const itemInput = filled(state.ItemSelector, { ...scope, context: itemContext });
    const child = await runStates(processor, itemInput, world, itemContext, children).catch((error: unknown) => error);
    if (child instanceof Error) {
      if (!state.ToleratedFailurePercentage)
        throw Object.assign(new TaskFailed("an item failed", { cause: child }), { name: thresholdExceeded });
      continue;
    }
    const { events, output, status, error = "", cause } = child as Ended;
    if (status === "aborted") throw new Aborted();
    const isInline = processor.ProcessorConfig?.Mode === "INLINE";
    // an item of the execution itself fails it with its own error
    if (status === "failed" && isInline) throw Object.assign(new TaskFailed(cause), { name: error });
    if (isInline) more(events);
    else children.push(events);
    if (status === "failed" && !state.ToleratedFailurePercentage)
      throw Object.assign(new TaskFailed("an item failed"), { name: thresholdExceeded });
    results.push(output);
  }
  return results;
}

function withResult({ ResultPath }: { readonly ResultPath?: string | null }, data: unknown, result: unknown): unknown {
  if (ResultPath === undefined) return result;
  if (ResultPath === null) return data;
  return withValueAt(ResultPath.slice(2).split("."), data, result);
}

function withValueAt([key = "", ...within]: readonly string[], data: unknown, value: unknown): unknown {
  const { [key]: inner, ...others } = data as Record<string, unknown>;
  return { ...others, [key]: within.length === 0 ? value : withValueAt(within, inner ?? {}, value) };
}

function outputOf({ OutputPath }: State, data: unknown): unknown {
  if (OutputPath === undefined) return data;
  return OutputPath === null ? {} : valueAt(OutputPath, { data, context: {} });
}

function holds(rule: Rule, scope: Scope): boolean {
  if (rule.And) return rule.And.every((each) => holds(each, scope));
  const value = valueAt(rule.Variable ?? "", scope);
  if (rule.IsPresent !== undefined) return (value !== undefined) === rule.IsPresent;
  if (rule.StringEquals !== undefined) return value === rule.StringEquals;
  if (rule.NumericLessThan !== undefined) return Number(value) < rule.NumericLessThan;
  if (rule.NumericGreaterThan !== undefined) return Number(value) > rule.NumericGreaterThan;
  throw new Error(`a rule that is not known here: ${JSON.stringify(rule)}`);
}

/** A template: `"key.$"` takes a path or an intrinsic function. */
function filled(template: unknown, scope: Scope): unknown {
  if (Array.isArray(template)) return template.map((each) => filled(each, scope));
  if (typeof template !== "object" || template === null) return template;
  return Object.fromEntries(
    Object.entries(template).map(([key, value]) =>
      key.endsWith(".$") ? [key.slice(0, -2), valueAt(String(value), scope)] : [key, filled(value, scope)],
    ),
  );
}

function valueAt(path: string, scope: Scope): unknown {
  if (/^\d+$/.test(path)) return Number(path);
  const [, ...added] = /^States\.MathAdd\((.+), (.+)\)$/.exec(path) ?? [];
  if (added.length > 0) return added.reduce((sum, each) => sum + Number(valueAt(each, scope)), 0);
  const [root, ...keys] = path.split(".");
  let value = root === "$$" ? scope.context : scope.data;
  if (root !== "$" && root !== "$$") throw new Error(`a path that is not known here: ${path}`);
  for (const key of keys) value = (value as Record<string, unknown> | undefined)?.[key];
  return value;
}
