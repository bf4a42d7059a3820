import { decodeSchemaMessage } from "../../../src/adapters/milvus/protocol.ts";
import type { JournalEntry } from "../../support/fake-milvus/records.ts";

/**
 * One way in which two tools ask differently: `gRPC GetLoadState: only here`, or, of requests about the same thing,
 * `gRPC CreateCollection: properties only here`.
 */
export interface Difference {
  readonly call: string;
  readonly what: string;
  /** How often each asks so. */
  readonly counts: { readonly there: number; readonly here: number };
  /** What shows it: requests of the one and of the other, as JSON. */
  readonly examples: readonly string[];
}

/** Requests about the same thing by what they are about, each as its fields: path to value. */
type Requests = ReadonlyMap<string, readonly Fields[]>;
type Fields = ReadonlyMap<string, string>;

export function differencesOf(theirs: readonly JournalEntry[], ours: readonly JournalEntry[]): Difference[] {
  const [left, right] = [byCall(theirs), byCall(ours)];
  const calls = [...new Set([...left.keys(), ...right.keys()])].sort();
  return calls.flatMap((call) => callDifferences(call, left.get(call) ?? new Map(), right.get(call) ?? new Map()));
}

function callDifferences(call: string, theirs: Requests, ours: Requests): Difference[] {
  const [a, b] = [[...theirs.values()].flat(), [...ours.values()].flat()];
  const counts = { there: a.length, here: b.length };
  const one = (what: string, ...shown: (readonly Fields[])[]): Difference => {
    return { call, what, counts, examples: shown.flatMap((fields) => fields.slice(0, 2).map(printed)) };
  };
  if (b.length === 0) return [one("only there", a)];
  if (a.length === 0) return [one("only here", b)];
  const found: Difference[] = [];
  if (a.length !== b.length) found.push(one(a.length > b.length ? "more often there" : "more often here"));
  const onlyThere = [...theirs].filter(([about]) => !ours.has(about)).flatMap(([, all]) => all);
  const onlyHere = [...ours].filter(([about]) => !theirs.has(about)).flatMap(([, all]) => all);
  if (onlyThere.length > 0) found.push(one("about something else there", onlyThere));
  if (onlyHere.length > 0) found.push(one("about something else here", onlyHere));
  const byPath = new Map<string, Difference>();
  for (const [about, all] of theirs) {
    for (const [path, difference] of fieldDifferences(all, ours.get(about) ?? all)) {
      byPath.set(path, { call, counts, ...difference });
    }
  }
  return [...found, ...[...byPath.values()].sort((x, y) => (x.what < y.what ? -1 : 1))];
}

/** Of requests about one thing: each field by all the values that it has in them. */
function fieldDifferences(
  theirs: readonly Fields[],
  ours: readonly Fields[],
): Map<string, Pick<Difference, "what" | "examples">> {
  const [a, b] = [valuesOf(theirs), valuesOf(ours)];
  const found = new Map<string, Pick<Difference, "what" | "examples">>();
  for (const path of new Set([...a.keys(), ...b.keys()])) {
    const [there, here] = [a.get(path), b.get(path)];
    if (there === here) continue;
    const where = there === undefined ? "only here" : here === undefined ? "only there" : "differs";
    found.set(path, { what: `${path} ${where}`, examples: [`${there ?? "-"}  |  ${here ?? "-"}`] });
  }
  return found;
}

function valuesOf(requests: readonly Fields[]): Map<string, string> {
  const paths = new Set(requests.flatMap((fields) => [...fields.keys()]));
  return new Map(
    [...paths].map((path) => {
      const values = new Set(requests.flatMap((fields) => fields.get(path) ?? []));
      return [path, [...values].sort().join(" or ")];
    }),
  );
}

function printed(fields: Fields): string {
  return [...fields].map(([path, value]) => `${path}=${value}`).join(" ");
}

function byCall(calls: readonly JournalEntry[]): Map<string, Map<string, Fields[]>> {
  const found = new Map<string, Map<string, Fields[]>>();
  for (const call of calls) {
    const fields = fieldsOf(call);
    const name = `${call.via} ${call.name.split("/").slice(-2).join("/")}`;
    const ofCall = found.get(name) ?? new Map<string, Fields[]>();
    found.set(name, ofCall);
    const about = subjects.map((subject) => fields.get(subject) ?? "").join(" ");
    ofCall.set(about, [...(ofCall.get(about) ?? []), fields]);
  }
  return found;
}

/** What a request is about. */
const subjects = ["database", "collection", "partition", "field_name", "alias", "options.l0_import"];

/** Other names of the same thing. */
const synonyms: Readonly<Record<string, string>> = {
  db_name: "database",
  dbName: "database",
  collection_name: "collection",
  collectionName: "collection",
  partition_name: "partition",
  partitionName: "partition",
};

/** Without what no two runs have in common (IDs, times, names of temporary things), and without values that say nothing. */
function fieldsOf({ via, name, database, body }: JournalEntry): Fields {
  // all of it is text, and a collection 0 says something
  if (via === "management") return new Map(Object.entries(body).map(([key, value]) => [key, plainText(String(value))]));
  const told: Record<string, unknown> = database === "default" ? {} : { database };
  for (const [key, value] of Object.entries(body)) told[synonyms[key] ?? key] = value || told[synonyms[key] ?? key];
  if (told.database === "default") delete told.database;
  if (told.schema instanceof Uint8Array) {
    const type = name === "AddCollectionField" ? "FieldSchema" : "CollectionSchema";
    told.schema = decodeSchemaMessage(type, told.schema);
  }
  const fields = new Map<string, string>();
  collect(told, "", fields);
  return new Map([...fields].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Items of a list have one path; what they are is put together, sorted. Pairs are fields of their own. */
function collect(value: unknown, path: string, fields: Map<string, string>): void {
  if (value === null || value === undefined || value === false || value === 0 || value === "0" || value === "") return;
  if (isPairs(value)) {
    for (const { key, value: text } of value) add(fields, `${path}.${key}`, text);
  } else if (Array.isArray(value)) {
    for (const item of value) collect(item, path, fields);
  } else if (value instanceof Uint8Array) {
    if (value.length > 0) add(fields, path, `<${value.length} bytes>`);
  } else if (typeof value === "object") {
    for (const [key, content] of Object.entries(value)) collect(content, path === "" ? key : `${path}.${key}`, fields);
  } else add(fields, path, String(value));
}

function isPairs(value: unknown): value is { key: string; value: string }[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => item?.key !== undefined && "value" in item);
}

function add(fields: Map<string, string>, path: string, text: string): void {
  const plain = plainText(text);
  const known = fields.get(path)?.split(", ") ?? [];
  fields.set(path, [...new Set([...known, plain])].sort().join(", "));
}

function plainText(text: string): string {
  return text
    .replace(/^(?:restore-temp-[^/]*|milvus-backup-staging\/[^/]*|backup-[^/]*\/[^/]*)\/(?:binlogs\/)?/, "<backup>/")
    .replace(/_restoring_[0-9a-f]+/, "")
    .replace(/milvus_backup_check_[0-9a-f]+/, "<probe>")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "<uuid>")
    .replace(/\d{13,}/g, "<id>");
}
