import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "lossless-json";
import * as z from "zod";
import type { MilvusSettings } from "../../core/environment/environment.ts";
import { messageOf } from "../../core/execution/errors.ts";
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
  withoutSecret,
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

/**
 * Where an environment's REST interface is: where gRPC is unless `milvus.restAddress` and `milvus.restPort` say otherwise. A Milvus with TLS of
 * its own serves both on one port only from 3.0 on (milvus#36724, #46312).
 * @returns `https://host:port`
 */
export function restBase({ address, port, restAddress = address, restPort = port, tlsMode }: MilvusSettings): string {
  const [, scheme = tlsMode > 0 ? "https" : "http", host = ""] = /^(?:(https?):\/\/)?(.*)$/.exec(restAddress) ?? [];
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  return `${scheme}://${bare.includes(":") ? `[${bare}]` : bare}:${restPort}`;
}

/** Asked about to see whether REST is served at all; whatever is answered. */
const probePath = "/v2/vectordb/collections/has";
const probeBody = { dbName: "default", collectionName: "milvus_backup_probe" };
/** A proxy that restarts is away for a moment; where nothing listens that is known at once. */
const probes = { count: 3, timeoutMs: 3_000, pauseMs: 500 } as const;

/** A function that runs on is not to think for hours what was so for a minute. */
const closedForMs = 60_000;

/** Milvus's REST v2 interface, on the proxy's port or elsewhere. Every failure leaves as a PipelineError. */
export class RestClient {
  readonly endpoint: MilvusEndpoint;
  /** `https://host:port` */
  readonly base: string;
  readonly #token: string;
  readonly #exchange: HttpExchange;
  readonly #patience: Patience | undefined;
  #closed: Promise<string | undefined> | undefined;
  /** Milliseconds of the process: when it was found closed. */
  #closedSince = Number.POSITIVE_INFINITY;

  /** @param patience how long what passes is waited for; not at all where absent */
  constructor(endpoint: MilvusEndpoint, settings: MilvusSettings, exchange: HttpExchange, patience?: Patience) {
    this.endpoint = endpoint;
    this.#patience = patience;
    this.base = restBase(settings);
    this.#token = settings.user || settings.password ? `${settings.user}:${settings.password}` : "";
    this.#exchange = exchange;
  }

  /**
   * Why no Milvus answers here: its gRPC does while its REST interface may be closed (`proxy.http.enabled`), or lie elsewhere. Found out once where it
   * answers, and for a minute where it does not.
   * @returns undefined where it answers, whatever it says; never throws
   */
  async closed(): Promise<string | undefined> {
    if (performance.now() - this.#closedSince > closedForMs) {
      this.#closed = undefined;
      this.#closedSince = Number.POSITIVE_INFINITY;
    }
    this.#closed ??= this.#probe();
    const reason = await this.#closed;
    this.#closedSince =
      reason === undefined ? Number.POSITIVE_INFINITY : Math.min(this.#closedSince, performance.now());
    return reason;
  }

  async #probe(): Promise<string | undefined> {
    let why = "";
    for (let left = probes.count; left > 0; left -= 1) {
      try {
        const { status, body } = await this.#send(probePath, probeBody, { timeoutMs: probes.timeoutMs });
        // Milvus says everything with 200, but that it does not know who asks; an ingress may have codes of its own
        const isMilvus = (status === 200 || status === 401) && envelope.safeParse(parseNumbersAsText(body)).success;
        if (isMilvus) return undefined;
        why = `what answers is not Milvus's REST interface: HTTP ${status}`;
        if (status < 500) return why;
      } catch (error) {
        why = messageOf(error);
      }
      if (left > 1) await sleep(probes.pauseMs);
    }
    return why;
  }

  #send(
    path: string,
    body: unknown,
    { timeoutMs, seconds }: { readonly timeoutMs: number; readonly seconds?: number },
  ): Promise<HttpAnswer> {
    const headers: Record<string, string> = {
      "content-type": "application/json",
      accept: "application/json",
      ...(seconds !== undefined && { "request-timeout": String(seconds) }),
      ...(this.#token && { authorization: `Bearer ${this.#token}` }),
    };
    const url = new URL(path, this.base);
    return this.#exchange(url, { method: "POST", headers, body: stringify(body) ?? "{}", timeoutMs });
  }

  /**
   * Posts `body` (bigints become bare 64-bit numbers) and reads the answer's `data`, whose numbers are decimal strings. What passes is
   * waited for on the spot; with what creates something only a limited rate, which comes before anything is done.
   * @param path `/v2/vectordb/jobs/import/create`
   * @param about.subject what it is about, for error messages
   * @param about.timeoutSeconds how long the server may take; a minute where absent
   * @param about.secret of the body: told to nobody, should the server repeat it
   * @throws MilvusBusy, MilvusUnauthenticated, MilvusFailed, CollectionNotFound
   */
  async post<T>(
    path: string,
    body: unknown,
    data: z.ZodType<T>,
    about: { readonly subject: string; readonly timeoutSeconds?: number; readonly secret?: string | undefined },
  ): Promise<T> {
    const once = () => this.#once(path, body, data, about);
    return patiently(this.#patience, `${path} at ${this.endpoint.address}`, once, (error) => {
      const wait = error instanceof PassingError ? error.wait : undefined;
      // a segment that is gone does not come back
      if (absence.isSegmentNotFound(error)) return undefined;
      return wait === "rate" || !path.endsWith("/create") ? wait : undefined;
    });
  }

  async #once<T>(
    path: string,
    body: unknown,
    data: z.ZodType<T>,
    { subject, timeoutSeconds = serverTimeoutSeconds, secret }: Parameters<RestClient["post"]>[3],
  ): Promise<T> {
    const timeoutMs = timeoutSeconds * 1000 + graceMilliseconds;
    let answer: HttpAnswer;
    try {
      const said = await this.#send(path, body, { timeoutMs, seconds: timeoutSeconds });
      answer = { ...said, body: withoutSecret(said.body, secret) };
    } catch (error) {
      throw busyError(this.endpoint, path, messageOf(error), "outage", error);
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
    // REST says 200 where it means success, on some 2.4 releases; it is a partition that is not there too, and then there is no data
    const code = read.data.code === 200 && read.data.data !== undefined ? 0 : read.data.code;
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
