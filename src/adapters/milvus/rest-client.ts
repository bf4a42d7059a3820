import http from "node:http";
import https from "node:https";
import { parse, stringify } from "lossless-json";
import * as z from "zod";
import type { MilvusSettings } from "../../core/environment/environment.ts";
import { type Patience, patiently } from "../patience.ts";
import {
  absence,
  busyError,
  failedError,
  isSuccess,
  type MilvusEndpoint,
  type MilvusStatus,
  PassingError,
  statusError,
  unauthenticatedError,
} from "./errors.ts";

/** Milvus gives up a request by itself after 30 s, with HTTP 408, unless `Request-Timeout` asks for more (2.4+). */
const serverTimeoutSeconds = 60;
/** So much longer than the server is waited for: its own answer tells more than ours. */
const graceMilliseconds = 10_000;

/** What Milvus wraps every REST v2 answer in. Numbers arrive as decimal strings, so that 64-bit ones keep every digit. */
const envelope = z.object({
  code: z.coerce.number(),
  message: z.string().optional(),
  data: z.unknown().optional(),
});

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** One HTTP exchange; TLS as the environment has it. */
export type HttpExchange = (
  url: URL,
  options: { method: "GET" | "POST"; headers: Record<string, string>; body?: string; timeoutMs: number },
) => Promise<HttpAnswer>;

/** HTTP with the TLS settings of an environment: its own CA, its client certificate, another server name. */
export function httpExchange(settings: MilvusSettings): HttpExchange {
  const agent = new https.Agent({
    keepAlive: true,
    ...(settings.caCert ? { ca: settings.caCert } : {}),
    ...(settings.tlsMode === 2 ? { cert: settings.mtlsCert, key: settings.mtlsKey } : {}),
    ...(settings.serverName ? { servername: settings.serverName } : {}),
  });
  return (url, { method, headers, body, timeoutMs }) =>
    new Promise((resolve, reject) => {
      const secure = url.protocol === "https:";
      const options = { method, headers, timeout: timeoutMs, ...(secure ? { agent } : {}) };
      const request = (secure ? https : http).request(url, options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      request.on("error", reject);
      request.end(body);
    });
}

/** Milvus's REST v2 interface on the proxy port. Every failure leaves as a PipelineError. */
export class RestClient {
  readonly endpoint: MilvusEndpoint;
  readonly #base: string;
  readonly #token: string;
  readonly #exchange: HttpExchange;
  readonly #patience: Patience | undefined;
  #answered = false;

  /**
   * @param address `host:port` of the proxy; the REST interface shares the port with gRPC
   * @param patience how long what passes is waited for; not at all where absent
   */
  constructor(
    endpoint: MilvusEndpoint,
    settings: MilvusSettings,
    address: string,
    exchange: HttpExchange,
    patience?: Patience,
  ) {
    this.endpoint = endpoint;
    this.#patience = patience;
    this.#base = `${settings.tlsMode > 0 ? "https" : "http"}://${address}`;
    this.#token = settings.user || settings.password ? `${settings.user}:${settings.password}` : "";
    this.#exchange = exchange;
  }

  /** Whether Milvus ever answered here. Its gRPC does while its REST interface may be closed (`proxy.http.enabled`), or lie elsewhere. */
  get answered(): boolean {
    return this.#answered;
  }

  /**
   * Posts `body` (bigints become bare 64-bit numbers) and reads the answer's `data`, whose numbers are decimal strings. What passes is
   * waited for on the spot; with what creates something only a limited rate, which comes before anything is done.
   * @param path `/v2/vectordb/jobs/import/create`
   * @param about.subject what it is about, for error messages
   * @param about.timeoutSeconds how long the server may take; a minute where absent
   * @throws MilvusBusy, MilvusUnauthenticated, MilvusFailed, CollectionNotFound
   */
  async post<T>(
    path: string,
    body: unknown,
    data: z.ZodType<T>,
    about: { readonly subject: string; readonly timeoutSeconds?: number },
  ): Promise<T> {
    const once = () => this.#once(path, body, data, about);
    return patiently(this.#patience, `${path} at ${this.endpoint.address}`, once, (error) => {
      const wait = error instanceof PassingError ? error.wait : undefined;
      // who has never answered is no outage, and a segment that is gone does not come back
      if (absence.isSegmentNotFound(error)) return undefined;
      if (wait === "outage" && !this.#answered) return undefined;
      return wait === "rate" || !path.endsWith("/create") ? wait : undefined;
    });
  }

  async #once<T>(
    path: string,
    body: unknown,
    data: z.ZodType<T>,
    { subject, timeoutSeconds = serverTimeoutSeconds }: { readonly subject: string; readonly timeoutSeconds?: number },
  ): Promise<T> {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      accept: "application/json",
      "request-timeout": String(timeoutSeconds),
      ...(this.#token ? { authorization: `Bearer ${this.#token}` } : {}),
    };
    const timeoutMs = timeoutSeconds * 1000 + graceMilliseconds;
    let answer: HttpAnswer;
    try {
      const url = new URL(path, this.#base);
      const text = stringify(body) ?? "{}";
      answer = await this.#exchange(url, { method: "POST", headers, body: text, timeoutMs });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw busyError(this.endpoint, path, reason, "outage", error);
    }
    if (answer.status === 401 || answer.status === 403) {
      throw unauthenticatedError(this.endpoint, `${path} answered HTTP ${answer.status}`);
    }
    if (answer.status === 408) {
      // The server gave up waiting, not working: whether it is done is to be looked at.
      throw busyError(this.endpoint, path, `no answer within ${timeoutSeconds} s`, "outage");
    }
    if (answer.status === 429 || answer.status >= 500) {
      const wait = answer.status === 429 ? "rate" : "outage";
      throw busyError(this.endpoint, path, `HTTP ${answer.status} ${answer.body.slice(0, 200)}`, wait);
    }
    const read = envelope.safeParse(parseNumbersAsText(answer.body));
    if (!read.success) {
      throw failedError(this.endpoint, path, `an answer that is not Milvus's: HTTP ${answer.status}`, read.error);
    }
    this.#answered = true;
    // REST says 200 where it means success, on some 2.4 releases
    const code = read.data.code === 200 ? 0 : read.data.code;
    const status: MilvusStatus = { code, error_code: 0, reason: read.data.message ?? "" };
    if (!isSuccess(status)) throw statusError(this.endpoint, path, status, { subject });
    const content = data.safeParse(read.data.data ?? {});
    if (!content.success) {
      throw failedError(this.endpoint, path, `an answer of another shape: ${z.prettifyError(content.error)}`);
    }
    return content.data;
  }
}

function parseNumbersAsText(body: string): unknown {
  try {
    return parse(body, undefined, (number) => number);
  } catch {
    return undefined;
  }
}
