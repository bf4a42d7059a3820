import type { Difference } from "./differences.ts";
import type { Verb } from "./runs.ts";

/** A difference that is meant, and why: what it is about, and the forms that it shows in. */
interface KnownDifference {
  readonly verb: Verb;
  readonly calls: readonly string[];
  /** As `Difference.what` says it. */
  readonly what: readonly string[];
  readonly why: string;
}

const only = { here: "only here", there: "only there" } as const;
const more = { here: "more often here", there: "more often there" } as const;
const else_ = { here: "about something else here", there: "about something else there" } as const;

/** Every difference that the comparison may show. */
const known: readonly KnownDifference[] = [
  {
    verb: "create",
    calls: ["gRPC GetVersion"],
    what: [only.here],
    why: "the first call of each step: tells at once whether Milvus is there and takes the user",
  },
  {
    verb: "create",
    calls: ["gRPC Connect"],
    what: [only.there],
    why: "registers a client for the server's list of clients; nothing else comes of it",
  },
  {
    verb: "create",
    calls: ["gRPC GetLoadState"],
    what: [only.here],
    why: "in place of GetLoadingProgress, which is an error for what is not loaded on some versions, and 0 on others",
  },
  { verb: "create", calls: ["gRPC GetLoadingProgress"], what: [only.there], why: "GetLoadState here" },
  {
    verb: "create",
    calls: ["gRPC GetReplicas"],
    what: [only.here],
    why: "warns of replicas and resource groups, which no backup carries",
  },
  {
    verb: "create",
    calls: ["gRPC DescribeCollection", "gRPC ListDatabases"],
    what: [more.there],
    why: "asked once here; there again before the segments are listed, and to find out whether the server has databases",
  },
  {
    verb: "create",
    calls: ["gRPC BackupRBAC", "management ez/backup"],
    what: [more.here],
    why: "tried before anything is copied, read when the metas are written: a secret lies in no plan",
  },
  {
    verb: "create",
    calls: ["gRPC GetPersistentSegmentInfo"],
    what: [more.here],
    why: "before and after a FlushAll (2.6.11+): what compaction rewrote in between is flushed by itself",
  },
  {
    verb: "create",
    calls: ["REST segments/describe"],
    what: [more.there],
    why: "100 segments a request here, one there; where one is gone, halves are asked for",
  },
  {
    verb: "create",
    calls: ["REST segments/describe"],
    what: ["Request-Timeout only here"],
    why: "60 s of the server's time, which is 30 s where nothing is said",
  },
  {
    verb: "create",
    calls: ["REST collections/has"],
    what: [only.here],
    why: "whether the REST interface is served at all, and where",
  },
  {
    verb: "create",
    calls: ["management garbage_collection/pause", "management garbage_collection/resume"],
    what: [more.there],
    why: "one pause of all collections here, renewed while copies run; from 2.6.8 one for each collection there",
  },
  {
    verb: "create",
    calls: ["management garbage_collection/pause"],
    what: ["collection_id differs"],
    why: "0 is all of them",
  },
  {
    verb: "restore",
    calls: ["gRPC GetVersion"],
    what: [only.here],
    why: "as in create",
  },
  { verb: "restore", calls: ["gRPC Connect"], what: [only.there], why: "as in create" },
  {
    verb: "restore",
    calls: ["REST collections/has"],
    what: [only.here],
    why: "imports go over gRPC where REST is closed",
  },
  {
    verb: "restore",
    calls: ["REST import/create"],
    what: [more.here, "files differs"],
    why: "segments with deletes are jobs of their own, so that the rows of all others are compared exactly",
  },
  {
    verb: "restore",
    calls: ["REST import/create"],
    what: ["options.end_ts only here"],
    why: "rows that came after T, the instant of the backup, are left out",
  },
  {
    verb: "restore",
    calls: ["REST import/create"],
    what: ["Request-Timeout differs"],
    why: "300 s here: a Lambda has 15 minutes. A job whose answer does not come is looked for",
  },
  {
    verb: "restore",
    calls: ["REST import/list"],
    what: [only.here],
    why: "finds jobs again whose answer was lost: nothing is imported twice",
  },
  {
    verb: "restore",
    calls: ["REST import/describe"],
    what: [more.here],
    why: "there are more jobs; each is described when the list says something new of it",
  },
  { verb: "restore", calls: ["REST import/describe"], what: ["Request-Timeout only here"], why: "as in create" },
  {
    verb: "restore",
    calls: ["gRPC CreateCollection"],
    what: [more.here, else_.here],
    why: "one without a name is refused with the limit of shards (`proxy.maxShardNum`), which no call tells",
  },
  {
    verb: "restore",
    calls: ["gRPC CreateCollection"],
    what: [
      "schema.fields.fieldID only there",
      "schema.functions.id only there",
      "schema.functions.input_field_ids only there",
      "schema.functions.output_field_ids only there",
    ],
    why: "Milvus gives the IDs out itself, by the order of the fields",
  },
  {
    verb: "restore",
    calls: ["gRPC CreateCollection"],
    what: ["properties.collection.ttl.seconds only here"],
    why: "a collection's properties come back (there those of its schema only)",
  },
  {
    verb: "restore",
    calls: ["gRPC CreateDatabase"],
    what: [
      "properties.cipher.enabled only here",
      "properties.cipher.key only here",
      "properties.database.replica.number only here",
    ],
    why: "a database's properties come back",
  },
  {
    verb: "restore",
    calls: ["gRPC RenameCollection"],
    what: [only.here],
    why: "a collection gets its name when it is complete",
  },
  {
    verb: "restore",
    calls: ["gRPC HasCollection"],
    what: [more.here, else_.here],
    why: "names of unfinished collections and of aliases are looked for too",
  },
  {
    verb: "restore",
    calls: ["gRPC ListDatabases"],
    what: [more.here],
    why: "databases are looked for before each step that makes one",
  },
  {
    verb: "restore",
    calls: ["gRPC DescribeCollection", "gRPC ShowPartitions", "gRPC DescribeIndex", "gRPC DescribeDatabase"],
    what: [only.here],
    why: "what Milvus made is compared; before an import and a rename it must still be the restore's own",
  },
  {
    verb: "restore",
    calls: ["gRPC HasPartition"],
    what: [only.there],
    why: "ShowPartitions here: one call a collection",
  },
  {
    verb: "restore",
    calls: ["gRPC GetCollectionStatistics"],
    what: [only.here],
    why: "the rows of every collection are counted before it gets its name",
  },
  {
    verb: "restore",
    calls: ["gRPC CreateAlias", "gRPC LoadCollection", "gRPC GetLoadState"],
    what: [only.here],
    why: "aliases and load state come back",
  },
  {
    verb: "restore",
    calls: ["gRPC BackupRBAC", "gRPC RestoreRBAC"],
    what: [more.here],
    why: "an empty RestoreRBAC tells before anything is changed whether the user may; what is there is read again after it",
  },
  {
    verb: "restore",
    calls: [
      ...["gRPC SelectUser", "gRPC SelectRole", "gRPC SelectGrant"],
      ...["gRPC CreateRole", "gRPC OperateUserRole", "gRPC OperatePrivilege"],
    ],
    what: [only.here],
    why: "probes about nobody: whether the user may make the calls, before anything is changed",
  },
];

/** Why a difference is meant; undefined where nobody has said so. */
export function reasonOf(verb: Verb, { call, what }: Difference): string | undefined {
  return known.find((one) => one.verb === verb && one.calls.includes(call) && one.what.includes(what))?.why;
}

/** The rows of the table in docs/compatibility.md. */
export function knownRows(): string[][] {
  return known.map(({ verb, calls, what, why }) => [
    `\`${verb}\``,
    calls.map((call) => `\`${call.replace(/^gRPC /, "")}\``).join(", "),
    what.join(", "),
    why,
  ]);
}
