import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { MilvusSettings } from "../../core/environment/environment.ts";
import { type Patience, patiently, type WaitReason } from "../patience.ts";
import {
  busyError,
  type CallSubject,
  failedError,
  isSuccess,
  type MilvusEndpoint,
  type MilvusStatus,
  missingCallError,
  PassingError,
  statusError,
  unauthenticatedError,
  unreachableError,
  waitReasonOf,
  withoutSecret,
} from "./errors.ts";
import { type PlainMessage, type RpcMethod, rpcMethod } from "./protocol.ts";

/** How long one call may take; DDL calls of a busy Milvus take tens of seconds. */
const callTimeoutMs = 60_000;

export interface GrpcCall extends CallSubject {
  /** Defaults to `default`. */
  readonly database?: string;
  readonly timeoutMs?: number;
  /** Of the request: told to nobody, should the server repeat it. */
  readonly secret?: string | undefined;
}

/** The outcome of a call whose refusal the caller wants to look at. */
type GrpcOutcome<T> =
  | { readonly kind: "ok"; readonly response: T }
  | { readonly kind: "refused"; readonly status: MilvusStatus }
  /** The server does not know the call. */
  | { readonly kind: "unimplemented" };

/** Calls that change nothing, or nothing more when they are made twice: they are made again where nobody knows what became of them. */
const repeatable = /^(?:Get|List|Show|Describe|Has|Flush|Query|Search|Select|BackupRBAC)/;

/** One gRPC connection to a Milvus proxy. Every failure leaves as a PipelineError. */
export class GrpcClient {
  readonly endpoint: MilvusEndpoint;
  readonly #client: Client;
  readonly #authorization: string;
  readonly #patience: Patience | undefined;
  readonly #methods = new Map<string, RpcMethod>();

  /** @param patience how long what passes is waited for after the handshake; not at all where absent */
  constructor(endpoint: MilvusEndpoint, settings: MilvusSettings, patience?: Patience) {
    this.endpoint = endpoint;
    this.#patience = patience;
    this.#authorization =
      settings.user || settings.password
        ? Buffer.from(`${settings.user}:${settings.password}`, "utf8").toString("base64")
        : "";
    this.#client = new Client(endpoint.address, channelCredentials(settings), {
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      // Lambda freezes between invocations: find a dead connection quickly afterwards
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 5_000,
      "grpc.initial_reconnect_backoff_ms": 200,
      "grpc.max_reconnect_backoff_ms": 2_000,
      // environment proxies of a build machine have no business between the pipeline and Milvus
      "grpc.enable_http_proxy": 0,
      ...(settings.serverName
        ? { "grpc.ssl_target_name_override": settings.serverName, "grpc.default_authority": settings.serverName }
        : {}),
    });
  }

  /** Calls and throws where Milvus does not answer with success. */
  async call<T = PlainMessage>(name: string, request: PlainMessage, options: GrpcCall = {}): Promise<T> {
    const outcome = await this.attempt<T>(name, request, options);
    if (outcome.kind === "ok") return outcome.response;
    if (outcome.kind === "refused") throw statusError(this.endpoint, name, outcome.status, options);
    throw missingCallError(this.endpoint, name);
  }

  /**
   * Calls; a refusal by status and a call the server does not have are answers, everything else is thrown. What passes is waited for
   * on the spot: a limited rate with every call, as Milvus has not begun with it; an outage and a busy server with those that may be made
   * twice.
   */
  async attempt<T = PlainMessage>(
    name: string,
    request: PlainMessage,
    options: GrpcCall = {},
  ): Promise<GrpcOutcome<T>> {
    const once = async () => {
      const outcome = await this.#once<T>(name, request, options);
      const wait = outcome.kind === "refused" ? waitReasonOf(outcome.status) : undefined;
      if (outcome.kind === "refused" && wait !== undefined) throw new Refusal(outcome, wait);
      return outcome;
    };
    try {
      return await patiently(this.#patience, `${name} at ${this.endpoint.address}`, once, (error) =>
        worthWaiting(name, error),
      );
    } catch (error) {
      if (error instanceof Refusal) return error.outcome;
      throw error;
    }
  }

  async #once<T>(name: string, request: PlainMessage, options: GrpcCall): Promise<GrpcOutcome<T>> {
    let response: PlainMessage;
    try {
      response = await this.#invoke(name, request, options);
    } catch (error) {
      if (isServiceError(error) && error.code === status.UNIMPLEMENTED) return { kind: "unimplemented" };
      throw this.#transportError(name, hushed(error, options.secret));
    }
    const milvusStatus = (response.status ?? response) as MilvusStatus;
    // answers without any status (GetFlushState of old servers) count as success
    if (typeof milvusStatus.error_code === "number" && !isSuccess(milvusStatus)) {
      const reason = withoutSecret(milvusStatus.reason, options.secret);
      return { kind: "refused", status: { ...milvusStatus, reason } };
    }
    return { kind: "ok", response: response as T };
  }

  /**
   * Asks for the version, and so finds out whether Milvus is there and takes the credentials.
   * @returns as the server says it: `v2.3.5-lite`
   * @throws MilvusUnreachable within `timeoutMs`, MilvusUnauthenticated
   */
  async handshake(timeoutMs: number): Promise<string> {
    let response: PlainMessage;
    try {
      response = await this.#invoke("GetVersion", {}, { timeoutMs });
    } catch (error) {
      if (!isServiceError(error) || refusesUser(error)) throw this.#transportError("GetVersion", error);
      throw unreachableError(this.endpoint, handshakeProblem(error, timeoutMs), error);
    }
    const milvusStatus = response.status as MilvusStatus | null;
    if (milvusStatus && !isSuccess(milvusStatus)) throw statusError(this.endpoint, "GetVersion", milvusStatus);
    return String(response.version);
  }

  close(): void {
    this.#client.close();
  }

  #invoke(name: string, request: PlainMessage, options: GrpcCall): Promise<PlainMessage> {
    const method = this.#method(name);
    const database = options.database || "default";
    const metadata = new Metadata();
    if (this.#authorization) metadata.set("authorization", this.#authorization);
    metadata.set("dbname", database);
    const message = method.databaseField ? { [method.databaseField]: database, ...request } : request;
    const deadline = Date.now() + (options.timeoutMs ?? callTimeoutMs);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        method.path,
        method.serialize,
        method.deserialize,
        message,
        metadata,
        { deadline },
        (error, response) => {
          if (error) reject(error);
          else resolve(response ?? {});
        },
      );
    });
  }

  #method(name: string): RpcMethod {
    let method = this.#methods.get(name);
    if (!method) {
      method = rpcMethod(name);
      this.#methods.set(name, method);
    }
    return method;
  }

  #transportError(call: string, error: unknown): Error {
    if (!isServiceError(error)) return error instanceof Error ? error : new Error(String(error));
    if (refusesUser(error)) return unauthenticatedError(this.endpoint, error.details, error);
    switch (error.code) {
      case status.UNAVAILABLE:
      case status.DEADLINE_EXCEEDED:
        return busyError(this.endpoint, call, innerReason(error.details), "outage", error);
      case status.RESOURCE_EXHAUSTED:
      case status.CANCELLED:
      case status.ABORTED:
        return busyError(this.endpoint, call, innerReason(error.details), "busy", error);
      default:
        return failedError(this.endpoint, call, error.details || error.message, error);
    }
  }
}

/** An answer that is worth asking again for. */
class Refusal extends Error {
  readonly outcome: Extract<GrpcOutcome<never>, { kind: "refused" }>;
  readonly wait: WaitReason;

  constructor(outcome: Refusal["outcome"], wait: WaitReason) {
    super(outcome.status.reason);
    this.outcome = outcome;
    this.wait = wait;
  }
}

function worthWaiting(call: string, error: unknown): WaitReason | undefined {
  if (!(error instanceof Refusal) && !(error instanceof PassingError)) return undefined;
  if (error.wait === "rate") return call.startsWith("Flush") ? "flush-rate" : "rate";
  return repeatable.test(call) ? error.wait : undefined;
}

function channelCredentials(settings: MilvusSettings): ChannelCredentials {
  if (settings.tlsMode === 0) return credentials.createInsecure();
  const pem = (text: string) => (text ? Buffer.from(text, "utf8") : null);
  const mutual = settings.tlsMode === 2;
  return credentials.createSsl(
    pem(settings.caCert),
    mutual ? pem(settings.mtlsKey) : null,
    mutual ? pem(settings.mtlsCert) : null,
  );
}

/** The same fault of a call, without a secret of its request, should it repeat that. */
function hushed(error: unknown, secret: string | undefined): unknown {
  if (!secret || !isServiceError(error)) return error;
  const { code, metadata } = error;
  const [message, details] = [error.message, error.details].map((text) => withoutSecret(text, secret));
  return Object.assign(new Error(message), { code, details, metadata });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}

function refusesUser(error: ServiceError): boolean {
  return error.code === status.UNAUTHENTICATED || error.code === status.PERMISSION_DENIED;
}

function handshakeProblem(error: ServiceError, timeoutMs: number): string {
  if (error.code === status.DEADLINE_EXCEEDED) return `no answer within ${timeoutMs} ms`;
  if (error.code === status.UNAVAILABLE) return innerReason(error.details);
  return `what answers there is no Milvus (${innerReason(error.details)})`;
}

/** The reason within what grpc-js says: `No connection established. Last error: Error: connect ECONNREFUSED ... Resolution note: `. */
function innerReason(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (Error( \[\w+\])?: )?/, "")
    .replace(/\.? ?Resolution note: .*$/s, "")
    .replace(/^[0-9A-F]+:error:[0-9A-F]+:SSL routines:[a-z_0-9]*:([^:]+):.*$/is, "TLS: $1")
    .trim()
    .replace(/\.$/, "");
}
