import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { aws } from "../../../local/index.ts";

export interface Hold {
  /** Settles when the first request is held. */
  readonly reached: Promise<void>;
  /** Lets what is held pass, and everything after it. */
  release(): void;
}

/**
 * A way to the emulator's S3 that can be closed: environments that name its port do all their copying through it. It makes what is a
 * matter of luck elsewhere (a segment that vanishes between two objects, a Lambda that dies in the middle) happen when a test wants it.
 */
export async function startStoreProxy() {
  let hold: { after: number; reached: () => void; released: Promise<void> } | undefined;
  let isHeldRead: (path: string) => boolean = () => false;
  let copies = 0;
  const waiting = new Set<number>();
  const agent = new Agent({ keepAlive: true });

  function begin(after: number): Hold {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    copies = 0;
    waiting.clear();
    hold = { after, reached: reached.resolve, released: released.promise };
    return {
      reached: reached.promise,
      release() {
        hold = undefined;
        isHeldRead = () => false;
        released.resolve();
      },
    };
  }

  async function pass(from: IncomingMessage, to: ServerResponse): Promise<void> {
    if (isCopy(from)) copies += 1;
    const isRead = from.method === "GET" && isHeldRead(from.url ?? "");
    if (hold !== undefined && (isRead || (isCopy(from) && copies > hold.after))) {
      hold.reached();
      if (from.socket.remotePort !== undefined) waiting.add(from.socket.remotePort);
      await hold.released;
    }
    const { method, url: path, headers } = from;
    const onward = request({ host: aws.host, port: aws.port, method, path, headers, agent }, (answer) => {
      to.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(to);
    });
    // Whoever asked may be gone by now: that is what some tests do.
    onward.on("error", () => to.destroy());
    from.on("error", () => onward.destroy());
    from.pipe(onward);
  }

  const server = createServer((from, to) => void pass(from, to));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    /** Copies asked for since the last hold was set. */
    copies: () => copies,
    /** The ports from which the held copies were asked for. */
    waiting: () => [...waiting],
    /** Lets `after` more copies of objects pass and holds the others back until they are released. */
    holdCopies: begin,
    /** Holds objects back whose paths are such, as they are read, until they are released. */
    holdReads(isHeld: (path: string) => boolean): Hold {
      isHeldRead = isHeld;
      return begin(Number.POSITIVE_INFINITY);
    },
    async close(): Promise<void> {
      server.closeAllConnections();
      agent.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** CopyObject is a PUT that names its source in a header. */
function isCopy({ method, headers }: IncomingMessage): boolean {
  return method === "PUT" && headers["x-amz-copy-source"] !== undefined;
}
