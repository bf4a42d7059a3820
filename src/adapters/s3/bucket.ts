import type { S3Client } from "@aws-sdk/client-s3";
import type { S3Connection } from "./connection.ts";
import { type S3Request, s3Error } from "./errors.ts";

/** What a request is about, for its error: a key, or what is listed. */
export type S3Target = Pick<S3Request, "key" | "prefix" | "copySource">;

/** A bucket and the connection that reaches it: what the S3 copies work with. */
export class S3Bucket {
  readonly connection: S3Connection;
  readonly name: string;
  readonly #scope: string;

  /** @param scope below what the bucket is used (`backup/`), for messages; "" for all of it */
  constructor(connection: S3Connection, name: string, scope = "") {
    this.connection = connection;
    this.name = name;
    this.#scope = scope;
  }

  get client(): S3Client {
    return this.connection.client;
  }

  /** Makes a request and turns its fault into a PipelineError that names bucket, address and the missing permission. */
  async request<T>(action: string, target: string | S3Target, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      const { address, signer, region } = this.connection;
      const about = typeof target === "string" ? { key: target } : target;
      throw s3Error(error, { bucket: this.name, address, signer, region, action, scope: this.#scope, ...about });
    }
  }
}
