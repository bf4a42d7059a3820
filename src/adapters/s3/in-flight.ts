import type { S3Client } from "@aws-sdk/client-s3";
import pLimit, { type LimitFunction } from "p-limit";
import { factsOf } from "./faults.ts";

/** As many as there are sockets. */
export const mostInFlight = 128;

/**
 * Requests of one client in flight: as many as its store bears. An answer that there are too many (503 SlowDown, throttled keys of KMS)
 * halves them, and each round of answers without one lets one more through.
 */
class InFlight {
  readonly #limit: LimitFunction = pLimit(mostInFlight);
  /** Goes up with each halving: what was sent before one says nothing about the number after it. */
  #round = 0;
  #answered = 0;

  /** @param send throws the store's answer as the SDK understood it */
  run<T>(send: () => Promise<T>): Promise<T> {
    return this.#limit(async () => {
      const round = this.#round;
      try {
        const answer = await send();
        this.#grow();
        return answer;
      } catch (error) {
        if (!factsOf(error).isThrottled) throw error;
        if (round === this.#round) this.#halve();
        // the SDK does not know all of their names
        throw error instanceof Error ? Object.assign(error, { $retryable: { throttling: true } }) : error;
      }
    });
  }

  #halve(): void {
    this.#round += 1;
    this.#answered = 0;
    const { activeCount, concurrency } = this.#limit;
    this.#limit.concurrency = Math.max(1, Math.floor(Math.min(activeCount, concurrency) / 2));
  }

  #grow(): void {
    if (this.#limit.concurrency === mostInFlight) return;
    this.#answered += 1;
    if (this.#answered < this.#limit.concurrency) return;
    this.#answered = 0;
    this.#limit.concurrency += 1;
  }
}

/** Lets a client send no more at once than its store bears. A request that waits to be sent again holds no place. */
export function withinWhatTheStoreBears(client: S3Client): S3Client {
  const inFlight = new InFlight();
  client.middlewareStack.add((next) => (args) => inFlight.run(() => next(args)), {
    // behind the retries
    step: "finalizeRequest",
    name: "requestsInFlight",
  });
  return client;
}
