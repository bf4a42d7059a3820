const sessionPrefix = "by-dev/meta/session/";

/** One entry of etcd, as its JSON gateway shows it: key and value in base64. */
interface EtcdEntry {
  key: string;
  value?: string;
}

/**
 * Removes the sessions that a server which was killed left in its etcd. They would end by themselves half a minute later, and
 * until then the server that followed answers "healthy" but waits for the dead one with everything that changes something.
 */
export async function removeStaleSessions(etcdUrl: string): Promise<void> {
  const call = async (method: string, body: object) => {
    const response = await fetch(`${etcdUrl}/v3/kv/${method}`, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd ${method}: HTTP ${response.status}`);
    return (await response.json()) as { kvs?: EtcdEntry[] };
  };
  const range = { key: toBase64(sessionPrefix), range_end: toBase64(sessionPrefix.replace(/\/$/, "0")) };
  const { kvs = [] } = await call("range", range);
  for (const key of staleSessions(kvs)) await call("deleterange", { key });
}

/** The keys of the sessions that belong to an earlier server than the latest one; every start gets a higher number. */
export function staleSessions(entries: EtcdEntry[]): string[] {
  const sessions = entries.flatMap(({ key, value = "" }) => {
    const session = JSON.parse(fromBase64(value) || "null") as { ServerID?: number } | number | null;
    return typeof session === "object" && session?.ServerID !== undefined ? [{ key, server: session.ServerID }] : [];
  });
  const latest = Math.max(...sessions.map((it) => it.server));
  return sessions.filter((it) => it.server < latest).map((it) => it.key);
}

const toBase64 = (text: string) => Buffer.from(text).toString("base64");
const fromBase64 = (text: string) => Buffer.from(text, "base64").toString();
