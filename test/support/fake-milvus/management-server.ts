import { randomUUID } from "node:crypto";
import { listen } from "./http.ts";
import type { FakeModel } from "./model.ts";

interface ManagementRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

export interface FakeManagement {
  readonly port: number;
  readonly requests: readonly ManagementRequest[];
  /** Open pauses: ticket and the seconds asked for; before 2.6.8 there is one, without a ticket. */
  readonly pauses: ReadonlyMap<string, number>;
  /** The collection of each pause with a ticket; 0 is all. */
  readonly pausedCollections: ReadonlyMap<string, string>;
  /** Databases with an encryption zone, and the key that a backup of it is read with (`ezk`). */
  readonly encryptionKeys: Map<string, string>;
  close(): Promise<void>;
}

const collectorPath = "/management/datacoord/garbage_collection";
/** `GetBackupEZ` of root coord. */
const encryptionPath = "/management/rootcoord/ez/backup";

/** The management port: pausing and resuming garbage collection, by collection and with tickets where `tickets` says so. */
export async function startFakeManagement(model: FakeModel, tickets: boolean): Promise<FakeManagement> {
  const pauses = new Map<string, number>();
  const pausedCollections = new Map<string, string>();
  const encryptionKeys = new Map<string, string>();
  /** Every ticket, also of pauses that are over. */
  const given = new Set<string>();
  const requests: ManagementRequest[] = [];

  type Answer = readonly [status: number, content: Record<string, string>];
  const routes: Record<string, (query: Record<string, string>) => Answer> = {
    [`${collectorPath}/pause`]: ({ pause_seconds: seconds = "", collection_id: collection = "" }) => {
      const refused = (why: string): Answer => [500, { msg: `failed to pause garbage collection, ${why}` }];
      if (!/^\d+$/.test(seconds))
        return refused(`pause duration not valid, strconv.ParseInt: parsing "${seconds}": invalid syntax`);
      if (!tickets) {
        // a later pause takes the place of the one before
        pauses.set("", Number(seconds));
        return [200, { msg: "OK" }];
      }
      if (!/^-?\d+$/.test(collection))
        return refused(`invalid collection id, strconv.ParseInt: parsing "${collection}": invalid syntax`);
      const ticket = randomUUID();
      given.add(ticket);
      pauses.set(ticket, Number(seconds));
      pausedCollections.set(ticket, collection);
      return [200, { msg: "OK", ticket }];
    },
    [`${collectorPath}/resume`]: ({ ticket = "" }) => {
      // it looks for the ticket among those that have not run out, and says OK whether it finds it or not; without one milvus#53591
      if (tickets && !given.has(ticket)) {
        return [500, { msg: `failed to resume garbage collection, strconv.ParseInt: parsing "": invalid syntax` }];
      }
      pausedCollections.delete(ticket);
      pauses.delete(ticket);
      return [200, { msg: "OK" }];
    },
    [encryptionPath]: ({ db_name: name = "" }) => {
      const key = encryptionKeys.get(name);
      if (key === undefined) return [500, { msg: `failed to backup ezk, database ${name} is not encrypted` }];
      return [200, { msg: "OK", ezk: key }];
    },
  };

  const listener = await listen((request, _body, response) => {
    const url = new URL(request.url ?? "/", "http://management");
    const query = Object.fromEntries(url.searchParams);
    model.journal.push({ via: "management", name: url.pathname, body: query });
    requests.push({ path: url.pathname, query });
    const isThere = url.pathname !== encryptionPath || model.isAtLeast("2.6.0");
    const route = isThere ? routes[url.pathname] : undefined;
    const [status, content] = route?.(query) ?? [404, { msg: "not found" }];
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(content));
  });
  return {
    port: listener.port,
    requests,
    pauses,
    pausedCollections,
    encryptionKeys,
    close: () => listener.close(),
  };
}
