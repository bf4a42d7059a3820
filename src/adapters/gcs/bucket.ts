import { type Bucket, Storage } from "@google-cloud/storage";
import type { StorageSettings } from "../../core/environment/environment.ts";
import { storeIdentity } from "../../core/environment/storage-identity.ts";
import type { PipelineError } from "../../core/execution/errors.ts";
import { jsonOrUndefined } from "../../core/execution/work-json.ts";
import { StoreRequests } from "../streams/requests.ts";
import type { StreamingStoreOptions } from "../streams/streaming-store.ts";
import { type GcsRequest, gcsError } from "./errors.ts";

/** A service account's way into Google Cloud Storage; buckets of it share the client. */
export interface GcsConnection {
  readonly client: Storage;
  /** `storage.googleapis.com:443`, for messages. */
  readonly address: string;
  /** Who signs, for messages: the service account's address. */
  readonly signer: string;
  /** Equal for two connections that reach one store (storeIdentity in core). */
  readonly endpointIdentity: string;
}

/**
 * Connects with the JSON of a service account, or of a workload identity federation. Another address than Google's own (a server in
 * tests) is asked without credentials, as the client library has it.
 */
export function connectGcs(settings: StorageSettings): GcsConnection {
  const { credentials, address, port, useSSL } = settings;
  if (credentials.kind !== "google") throw new Error("Google's own interface takes the JSON of a service account");
  const json = (jsonOrUndefined(credentials.json) ?? {}) as Readonly<Record<string, string>>;
  const isGoogle = address.endsWith("googleapis.com");
  const client = new Storage({
    projectId: json.project_id ?? "unused",
    credentials: json,
    // who asks tries again: what must not be sent any more is asked before each request
    retryOptions: { autoRetry: false, maxRetries: 0 },
    ...(isGoogle ? {} : { apiEndpoint: `${useSSL ? "https" : "http"}://${address}:${port}` }),
  });
  return {
    client,
    address: `${address}:${port}`,
    signer: json.client_email ?? json.service_account_impersonation_url ?? "the federated identity",
    endpointIdentity: storeIdentity(settings),
  };
}

/** A bucket and the connection that reaches it. */
export class GcsBucket {
  readonly connection: GcsConnection;
  readonly name: string;
  readonly client: Bucket;
  readonly #bucketKey: string | undefined;
  readonly #requests: StoreRequests;

  constructor(
    connection: GcsConnection,
    name: string,
    { patience, bucketKey }: Pick<StreamingStoreOptions, "patience" | "bucketKey"> = {},
  ) {
    this.connection = connection;
    this.name = name;
    this.client = connection.client.bucket(name);
    this.#bucketKey = bucketKey;
    this.#requests = new StoreRequests(connection.address, patience);
  }

  /** `KEY in bucket NAME at HOST:PORT`, for messages. */
  labelOf(key: string): string {
    return `${key} in bucket ${this.name} at ${this.connection.address}`;
  }

  /**
   * Makes a request, again where it failed for a reason that passes, and turns its fault into a PipelineError that names bucket, address
   * and the missing permission.
   * @param send called for every try
   */
  async request<T>(permission: GcsRequest["permission"], key: string | undefined, send: () => Promise<T>): Promise<T> {
    return this.#requests.make(permission, send, (error) => this.fault(permission, key, error));
  }

  fault(permission: GcsRequest["permission"], key: string | undefined, error: unknown): PipelineError {
    const { address, signer } = this.connection;
    return gcsError(error, { bucket: this.name, bucketKey: this.#bucketKey, address, signer, permission, key });
  }
}
