import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Environment } from "../../src/core/environment/environment.ts";
import { parseEnvironment } from "../../src/core/environment/yaml.ts";
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
  const { port, close } = await listening(server, at);
  return {
    port,
    url: `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    seen,
    close,
  };
}

/** Has a server listen on a loopback port: a free one unless told otherwise. */
export async function listening(server: Server, at = 0): Promise<{ port: number; close: () => Promise<void> }> {
  server.listen(at, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The environment of a store that speaks S3 at such a port. */
export function environmentAt(port: number, bucket: string): Environment {
  const yaml = `minio:
  address: 127.0.0.1
  port: ${port}
  accessKeyID: AKIAEXAMPLE1
  secretAccessKey: store-secret
  bucketName: ${bucket}
`;
  return parseEnvironment(yaml, { name: "prod", fileName: "backup.yaml" });
}
