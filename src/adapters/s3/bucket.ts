import type { S3Client } from "@aws-sdk/client-s3";
import { PipelineError } from "../../core/execution/errors.ts";
import { type Patience, patiently } from "../patience.ts";
import type { S3Connection } from "./connection.ts";
import { type S3Request, s3Error } from "./errors.ts";

/** What a request is about, for its error: a key, or what is listed. */
type S3Target = Pick<S3Request, "key" | "prefix" | "copySource">;

/** A bucket and the connection that reaches it: what the S3 copies work with. */
export class S3Bucket {
  readonly connection: S3Connection;
  readonly name: string;
  readonly #scope: string;
  readonly #bucketKey: string | undefined;
  readonly #patience: Patience | undefined;
  /** Whether the store has ever answered here, if only with an error of its own: its address is right, then. */
  #answered = false;

  /**
   * @param options `scope`: below what the bucket is used (`backup/`), for messages; "" for all of it. `bucketKey`: where its name is written. `patience`: how long a store that
   * has answered and does not any more is waited for; not at all where absent
   */
  constructor(
    connection: S3Connection,
    name: string,
    options: { scope?: string; bucketKey?: string | undefined; patience?: Patience | undefined } = {},
  ) {
    this.connection = connection;
    this.name = name;
    this.#scope = options.scope ?? "";
    this.#bucketKey = options.bucketKey;
    this.#patience = options.patience;
  }

  get client(): S3Client {
    return this.connection.client;
  }

  /**
   * Makes a request and turns its fault into a PipelineError that names bucket, address and the missing permission. A store that has too
   * much to do is asked again for a while, and so is one that has answered here and is not reached any more.
   * @param send is called for every try
   */
  async request<T>(action: string, target: string | S3Target, send: () => Promise<T>): Promise<T> {
    const once = async () => {
      try {
        const answer = await send();
        this.#answered = true;
        return answer;
      } catch (error) {
        const fault = this.fault(action, target, error);
        if (fault.kind !== "outage" && fault.kind !== "transient") this.#answered = true;
        throw fault;
      }
    };
    return patiently(this.#patience, `${action} at ${this.connection.address}`, once, (error) => {
      if (!(error instanceof PipelineError)) return undefined;
      if (error.details.throttled === true) return "busy";
      return this.#answered && error.name === "StoreUnreachable" ? "outage" : undefined;
    });
  }

  /** What a request failed with, as request would throw it. */
  fault(action: string, target: string | S3Target, error: unknown): PipelineError {
    const { address, signer, region, bucketOwner: owner } = this.connection;
    const about = typeof target === "string" ? { key: target } : target;
    const of = { bucket: this.name, bucketKey: this.#bucketKey, address, signer, region, owner };
    return s3Error(error, { ...of, action, scope: this.#scope, ...about });
  }
}
