import { randomUUID } from "node:crypto";
import { listen } from "./http.ts";

export interface FakeManagement {
  readonly port: number;
  /** Open pauses: ticket and the seconds asked for. */
  readonly pauses: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

/** The management port: pausing and resuming garbage collection; with `tickets` as 2.6.8 and later do it, by collection (0 is all). */
export async function startFakeManagement(tickets: boolean): Promise<FakeManagement> {
  const pauses = new Map<string, number>();
  const base = "/management/datacoord/garbage_collection";
  const listener = await listen((request, _body, response) => {
    const url = new URL(request.url ?? "/", "http://management");
    const answer = (status: number, content: Record<string, string>) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(content));
    };
    const ticket = url.searchParams.get("ticket") ?? "";
    if (url.pathname === `${base}/pause`) {
      const seconds = Number(url.searchParams.get("pause_seconds"));
      if (!Number.isInteger(seconds)) return answer(400, { msg: "invalid pause seconds" });
      if (tickets && !/^\d+$/.test(url.searchParams.get("collection_id") ?? "")) {
        return answer(500, { msg: "failed to pause garbage collection, invalid collection id" });
      }
      const given = tickets ? randomUUID() : "";
      pauses.set(given, seconds);
      return answer(200, tickets ? { msg: "OK", ticket: given } : { msg: "OK" });
    }
    if (url.pathname === `${base}/resume`) {
      return pauses.delete(ticket) ? answer(200, { msg: "OK" }) : answer(500, { msg: "failed to resume gc" });
    }
    return answer(404, { msg: "not found" });
  });
  return { port: listener.port, pauses, close: () => listener.close() };
}
