import pRetry from "p-retry";
import { PipelineError } from "../../core/execution/errors.ts";
import { type Patience, patiently } from "../patience.ts";

const retries = { retries: 4, minTimeout: 200, maxTimeout: 5_000, randomize: true } as const;
/** As long as the largest part may take without an answer; the clients of Azure and Google wait for good. */
const limitMilliseconds = 300_000;

/**
 * Requests to one bucket of a store whose client does not try again by itself, so that each try can be asked whether it still may be
 * sent: again where a fault passes, and once the store has answered here, for a while where it does not any more.
 */
export class StoreRequests {
  readonly #address: string;
  readonly #patience: Patience | undefined;
  /** Whether the store has ever answered here: its address is right, then. */
  #answered = false;

  /** @param patience how long a store that has answered is waited for; not at all where absent */
  constructor(address: string, patience: Patience | undefined) {
    this.#address = address;
    this.#patience = patience;
  }

  /**
   * @param action for the log and for what is not answered
   * @param send called for every try; the signal ends one that was not answered in time: the memory that it sends from is lent to others then
   * @param faultOf what a try failed with
   * @throws what `faultOf` makes of the last try; StoreBusy where it was not answered within five minutes
   */
  async make<T>(
    action: string,
    send: (signal: AbortSignal) => Promise<T>,
    faultOf: (error: unknown) => PipelineError,
  ): Promise<T> {
    const what = `${action} at ${this.#address}`;
    const once = async () => {
      try {
        const answer = await withinTime(what, send);
        this.#answered = true;
        return answer;
      } catch (error) {
        const fault = faultOf(error);
        if (fault.kind !== "outage" && fault.kind !== "transient") this.#answered = true;
        throw fault;
      }
    };
    const again = () =>
      pRetry(once, {
        ...retries,
        shouldRetry: ({ error }) => error instanceof PipelineError && error.kind === "transient",
      });
    return patiently(this.#patience, what, again, (error) =>
      this.#answered && error instanceof PipelineError && error.name === "StoreUnreachable" ? "outage" : undefined,
    );
  }
}

async function withinTime<T>(what: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new PipelineError("StoreBusy", `${what} was not answered within ${limitMilliseconds / 1000} s`));
      controller.abort();
    }, limitMilliseconds);
  });
  try {
    return await Promise.race([send(controller.signal), over]);
  } finally {
    clearTimeout(timer);
  }
}
