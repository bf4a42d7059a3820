import { setImmediate as turn } from "node:timers/promises";
import { PipelineError } from "../../src/core/execution/errors.ts";

/** `before`: the call never happens; `after`: it happens, and its answer is lost. */
export type FaultMoment = "before" | "after";

/** Counts the calls of every port it wraps, and makes one of them fail. */
export class FaultInjector {
  /** Every call so far: `work.putText executions/...`. */
  readonly calls: string[] = [];
  readonly #at: number;
  readonly #moment: FaultMoment;
  /** Calls that have begun and not ended. */
  readonly running = new Set<string>();
  readonly #wrapped = new Map<unknown, object>();
  readonly #slow: boolean;

  /**
   * @param at number of the call that fails, from 0; none where absent
   * @param options `slow`: calls take a while, some longer than others, as over a network
   */
  constructor(at = Number.POSITIVE_INFINITY, moment: FaultMoment = "before", options: { slow?: boolean } = {}) {
    this.#at = at;
    this.#moment = moment;
    this.#slow = options.slow ?? false;
  }

  /** The same object with its methods counted. What is wrapped may be handed to what is wrapped: it meets the object itself. */
  wrap<T extends object>(label: string, port: T): T {
    const wrapped = new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function" || typeof property !== "string") return value;
        const call = (...args: unknown[]) =>
          Reflect.apply(
            value,
            target,
            args.map((argument) => this.#wrapped.get(argument) ?? argument),
          );
        if (property === "list" || property === "readText") {
          return (...args: unknown[]) => {
            this.#enter(`${label}.${property} ${String(args[0])}`);
            return call(...args);
          };
        }
        if (property === "openText") {
          return (...args: unknown[]) => this.wrap(`${label} upload of ${String(args[0])}`, call(...args));
        }
        return async (...args: unknown[]) => {
          const name = `${label}.${property} ${JSON.stringify(nameOf(args[0]) ?? "")}`;
          const number = this.#enter(name);
          const running = `${number} ${name}`;
          this.running.add(running);
          try {
            await this.pause(number);
            for (let turns = this.#slow ? (number * 7) % 5 : 0; turns > 0; turns -= 1) await turn();
            const answer = await call(...args);
            if (number === this.#at && this.#moment === "after") throw this.#fault(number);
            return answer;
          } finally {
            this.running.delete(running);
          }
        };
      },
    });
    this.#wrapped.set(wrapped, port);
    return wrapped;
  }

  /** Before a call that is not a listing; for those that hold one up. */
  async pause(_number: number): Promise<void> {}

  #enter(call: string): number {
    const number = this.calls.push(call) - 1;
    if (number === this.#at && this.#moment === "before") throw this.#fault(number);
    return number;
  }

  #fault(number: number): PipelineError {
    return new PipelineError("StoreBusy", `injected ${this.#moment} ${this.calls[number]}`);
  }
}

/** A store that is an argument is told by its label: what it recorded would grow with every call. */
function nameOf(argument: unknown): unknown {
  // what is added to a Milvus has passwords, and a fault is told in records and logs
  if (typeof argument === "object" && argument !== null && "users" in argument) return "";
  return typeof argument === "object" && argument !== null && "label" in argument ? argument.label : argument;
}
