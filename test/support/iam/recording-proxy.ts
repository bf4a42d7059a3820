import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A request to AWS as it was sent, and what came of it. */
export interface RecordedRequest {
  readonly accessKeyId: string;
  /** `s3`, `secretsmanager`, `states` ...: what it was signed for. */
  readonly service: string;
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly status: number;
}

/** Stands before an AWS emulator, hands every request on as it is (it is signed for this very address) and keeps it. */
export class RecordingProxy {
  readonly requests: RecordedRequest[] = [];
  /** Called with every request before its answer goes back. */
  onAnswer: (request: RecordedRequest) => Promise<void> = async () => {};
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<RecordingProxy> {
    const server = createServer();
    const proxy = new RecordingProxy(server);
    server.on("request", (incoming, outgoing) => {
      void (async () => {
        const body = await bytesOf(incoming);
        const { method = "GET", url = "/", headers } = incoming;
        const sent = request({ ...target, method, path: url, headers, setHost: false }, async (answer) => {
          const status = answer.statusCode ?? 500;
          const answered = await bytesOf(answer);
          const recorded = { ...signerOf(headers), method, url, headers, body, status };
          proxy.requests.push(recorded);
          await proxy.onAnswer(recorded);
          outgoing.writeHead(status, answer.headers);
          outgoing.end(answered);
        });
        sent.on("error", (error) => outgoing.destroy(error));
        sent.end(body);
      })();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function signerOf({ authorization = "" }: IncomingHttpHeaders): { accessKeyId: string; service: string } {
  const [, accessKeyId = "", service = ""] =
    /Credential=([^/]+)\/\d+\/[^/]+\/([^/]+)\/aws4_request/.exec(authorization) ?? [];
  return { accessKeyId, service };
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
