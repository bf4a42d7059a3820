import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A way to a server on which every request takes longer. */
export interface LatencyProxy {
  readonly host: string;
  readonly port: number;
  stop(): Promise<void>;
}

const host = "127.0.0.1";

/**
 * Listens on this machine and passes everything on, what comes from the client so many milliseconds later: a store on the same machine
 * answers in one, S3 in 10 to 30. What comes back is not held up, and nothing is limited but time.
 * @param options.port to listen on; any that is free where it is 0
 */
export async function startLatencyProxy(options: {
  readonly to: { readonly host: string; readonly port: number };
  readonly port: number;
  readonly milliseconds: number;
}): Promise<LatencyProxy> {
  const { to, port, milliseconds } = options;
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ ...to, noDelay: true, allowHalfOpen: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroySoon();
      });
    }
    // timers of one length end in the order in which they began
    near.on("data", (bytes) => setTimeout(() => far.writable && far.write(bytes), milliseconds));
    near.on("end", () => setTimeout(() => far.end(), milliseconds));
    far.pipe(near);
  });
  server.listen(port, host);
  await once(server, "listening");
  return {
    host,
    port: (server.address() as AddressInfo).port,
    async stop() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
