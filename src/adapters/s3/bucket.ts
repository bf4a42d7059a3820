import type { S3Client } from "@aws-sdk/client-s3";
import type { S3Connection } from "./connection.ts";
import { s3Error } from "./errors.ts";

/** A bucket and the connection that reaches it: what the S3 copies work with. */
export class S3Bucket {
  readonly connection: S3Connection;
  readonly name: string;

  constructor(connection: S3Connection, name: string) {
    this.connection = connection;
    this.name = name;
  }

  get client(): S3Client {
    return this.connection.client;
  }

  /** Makes a request and turns its fault into a PipelineError that names bucket, address and the missing permission. */
  async request<T>(action: string, key: string | undefined, send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      const { address, signer } = this.connection;
      throw s3Error(error, { bucket: this.name, address, signer, action, key });
    }
  }
}
