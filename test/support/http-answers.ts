import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Certificate } from "./certificates.ts";

export interface SeenRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * A server on a free loopback port that answers every request with what `answer` says, and remembers what it was asked.
 * @param certificate makes it speak TLS
 * @param at the port of one that was closed, for a server that restarts
 */
export async function startAnswering(answer: (request: SeenRequest) => HttpAnswer, certificate?: Certificate, at = 0) {
  const seen: SeenRequest[] = [];
  const listener: RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    const asked = { method, url, headers, body: Buffer.concat(chunks).toString("utf8") };
    seen.push(asked);
    const { status, headers: more = {}, body = "" } = answer(asked);
    response.writeHead(status, { "content-type": "application/xml", ...more });
    response.end(method === "HEAD" ? undefined : body);
  };
  const server = certificate === undefined ? createServer(listener) : createTlsServer(certificate, listener);
  server.listen(at, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    seen,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
