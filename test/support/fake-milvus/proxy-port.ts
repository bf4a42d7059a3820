import { type AddressInfo, createServer, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";

/** What HTTP/2 begins with: `PRI * HTTP/2.0`. */
const preface = "PRI";

export interface ProxyPort {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * One port for gRPC and REST, as a Milvus proxy has it: the first bytes of a connection tell whose it is.
 * @param at a free port where 0
 */
export async function openProxyPort(
  takes: { http2: (connection: Duplex) => void; http1: (socket: Socket) => void },
  at: number,
): Promise<ProxyPort> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // a client that goes away in the middle is its own affair
    socket.on("error", () => socket.destroy());
    socket.once("data", (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (first.toString("latin1", 0, preface.length) === preface) takes.http2(asStream(socket));
      else takes.http1(socket);
      socket.resume();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** HTTP/2 reads from a socket's handle, past what was put back into the socket: so it gets a stream that has no handle. */
function asStream(socket: Socket): Duplex {
  const [near, far] = duplexPair();
  near.on("error", () => socket.destroy());
  far.on("close", () => socket.destroy());
  socket.on("close", () => near.destroy());
  socket.pipe(near).pipe(socket);
  return far;
}
