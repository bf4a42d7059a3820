import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { leaderOf, listenerOf, listeningInodes, parseStat } from "../../../local/processes.ts";

describe("parseStat", () => {
  it("is not misled by a command name with spaces and parentheses", () => {
    const after = "S 7 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 9 0 123456 1000";

    expect(parseStat(`42 (a) b (c) ${after}`)).toEqual({ state: "S", parent: 7, startTicks: "123456" });
  });
});

describe("listeningInodes", () => {
  it("finds the listening socket of a port, not a connection to it", () => {
    const table = [
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
      "   0: 0100007F:11D6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1",
      "   1: 0100007F:11D6 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 222 1",
      "   2: 0100007F:11D7 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1",
    ].join("\n");

    expect(listeningInodes(table, 4566)).toEqual(["111"]);
  });
});

describe("listenerOf", () => {
  it("names the process that listens on a port, and nobody once it is free", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };

    expect(await listenerOf(port)).toMatchObject({ pid: process.pid });

    await new Promise((resolve) => server.close(resolve));
    expect(await listenerOf(port)).toBeUndefined();
  });
});

describe("leaderOf", () => {
  it("is the process whose parent is not one of them", () => {
    const child = { pid: 12, parent: 11, service: "aws", startTicks: "2" };
    const leader = { pid: 11, parent: 1, service: "aws", startTicks: "1" };

    expect(leaderOf([child, leader])).toBe(leader);
    expect(leaderOf([])).toBeUndefined();
  });
});
