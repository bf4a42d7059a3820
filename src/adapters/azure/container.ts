import {
  AnonymousCredential,
  BlobServiceClient,
  type ContainerClient,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import type { StorageSettings } from "../../core/environment/environment.ts";
import { storeIdentity } from "../../core/environment/storage-identity.ts";
import type { PipelineError } from "../../core/execution/errors.ts";
import { StoreRequests } from "../streams/requests.ts";
import type { StreamingStoreOptions } from "../streams/streaming-store.ts";
import { type AzureRequest, azureError } from "./errors.ts";

/** One account's way into its blobs; containers of it share the client. */
export interface AzureConnection {
  readonly client: BlobServiceClient;
  /** `account.blob.core.windows.net:443`, `127.0.0.1:10000`, for messages. */
  readonly address: string;
  readonly account: string;
  /** Who signs, for messages. */
  readonly signer: string;
  /** Equal for two connections that reach one account (storeIdentity in core). */
  readonly endpointIdentity: string;
  /** Whether the account's key signs, which can also sign the reading of a source for a server-side copy. */
  readonly hasKey: boolean;
  /** The query of a shared access signature, without `?`; "" where the key signs. */
  readonly sas: string;
}

/** An address that is no name of a service: accounts are named in the path, not in the host (azurite, private endpoints by address). */
const withoutAccounts = /^(?:localhost|\d+\.\d+\.\d+\.\d+|\[?[0-9a-f]*:[0-9a-f:]+\]?)$/i;

/**
 * Connects to an account of Azure Blob Storage. `address` is the suffix behind `<account>.blob.`, as milvus-backup 0.5 has it
 * (`core.windows.net`), or a host that ends in it already; an IP address or localhost is asked in path style, as azurite wants it.
 */
export function connectAzure(settings: StorageSettings): AzureConnection {
  const { credentials, useSSL, port } = settings;
  if (credentials.kind !== "static") throw new Error("Azure has no roles here");
  const { accessKeyId: account, secretAccessKey: key, token } = credentials;
  const host = settings.address.toLowerCase();
  const scheme = useSSL ? "https" : "http";
  const isPath = withoutAccounts.test(host);
  const named = isPath || host.startsWith(`${account.toLowerCase()}.blob.`) ? host : `${account}.blob.${host}`;
  const suffix = port === (useSSL ? 443 : 80) ? "" : `:${port}`;
  const sas = token.replace(/^\?/, "");
  const url = `${scheme}://${named}${suffix}${isPath ? `/${account}` : ""}`;
  const credential = sas === "" ? new StorageSharedKeyCredential(account, key) : new AnonymousCredential();
  const client = new BlobServiceClient(sas === "" ? url : `${url}?${sas}`, credential, {
    // who asks tries again: what must not be sent any more is asked before each request
    retryOptions: { maxTries: 1 },
    userAgentOptions: { userAgentPrefix: "milvus-backup-serverless" },
    ...(settings.caCert === undefined ? {} : { tlsOptions: { ca: settings.caCert } }),
  });
  return {
    client,
    address: `${named}:${port}`,
    account,
    signer: sas === "" ? `the key of account ${account}` : `the shared access signature of account ${account}`,
    endpointIdentity: storeIdentity(settings),
    hasKey: sas === "",
    sas,
  };
}

/** A container and the connection that reaches it. */
export class AzureContainer {
  readonly connection: AzureConnection;
  readonly name: string;
  readonly client: ContainerClient;
  readonly #bucketKey: string | undefined;
  readonly #requests: StoreRequests;

  constructor(
    connection: AzureConnection,
    name: string,
    { patience, bucketKey }: Pick<StreamingStoreOptions, "patience" | "bucketKey"> = {},
  ) {
    this.connection = connection;
    this.name = name;
    this.client = connection.client.getContainerClient(name);
    this.#bucketKey = bucketKey;
    this.#requests = new StoreRequests(connection.address, patience);
  }

  /** `KEY in container NAME at HOST:PORT`, for messages. */
  labelOf(key: string): string {
    return `${key} in container ${this.name} at ${this.connection.address}`;
  }

  /**
   * Makes a request, again where it failed for a reason that passes, and turns its fault into a PipelineError that names container,
   * address and what is missing.
   * @param permission as a shared access signature has it: Read, Add, Create, Write, Delete, List
   * @param send called for every try; the signal ends one that was not answered in time
   */
  async request<T>(
    permission: AzureRequest["permission"],
    key: string | undefined,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return this.#requests.make(permission, send, (error) => this.fault(permission, key, error));
  }

  fault(permission: AzureRequest["permission"], key: string | undefined, error: unknown): PipelineError {
    const { address, signer, account } = this.connection;
    const of = { container: this.name, bucketKey: this.#bucketKey, address, signer, account };
    return azureError(error, { ...of, permission, key });
  }
}
