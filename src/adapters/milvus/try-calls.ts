import { randomBytes } from "node:crypto";
import { messageOf, PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { TriedCall } from "../../ports/milvus.ts";
import { PassingError, statusError } from "./errors.ts";
import type { GrpcClient } from "./grpc-client.ts";

const callsAtOnce = 4;

/**
 * `Milvus.tryCalls`: the proxy looks at privileges before it looks at anything else, so that a call about nothing tells whether it may be
 * made. Rates are limited after that: a limited call is an allowed one.
 */
export async function tryCalls(client: GrpcClient, of?: TriedCall["of"]): Promise<TriedCall[]> {
  const calls = callsAbout(`milvus_backup_check_${randomBytes(6).toString("hex")}`);
  const tried = calls.filter((one) => of === undefined || one.of === of);
  const outcomes = await settleEach(tried, callsAtOnce, (one) => tryCall(client, one));
  const lists = outcomes.some(({ call, outcome }) => call === "BackupRBAC" && outcome === "unknown");
  const others = lists ? wholeRbac : listedRbac;
  return outcomes.filter(({ call }) => !others.has(call));
}

/** A server has these, or is asked for users and roles one by one. */
const wholeRbac: ReadonlySet<string> = new Set(["BackupRBAC", "RestoreRBAC"]);
const listedRbac: ReadonlySet<string> = new Set(["SelectUser", "SelectRole", "SelectGrant", "CreateRole"]);

interface Call {
  readonly call: string;
  readonly of: TriedCall["of"];
  readonly request: Readonly<Record<string, unknown>>;
  /** true: no answer in time is an allowed call, since who may not make it is told at once. */
  readonly slow?: true;
}

const timeoutMs = 10_000;
/** 2.3.5 looks for a collection that is not there for 50 s before it refuses to import into it. */
const slowTimeoutMs = 1_500;

/** @param absent the name of a collection that is not there */
function callsAbout(absent: string): Call[] {
  const collection = { collection_name: absent };
  const backup = (call: string, request: Call["request"] = collection): Call => ({ call, of: "backup", request });
  const restore = (call: string, request: Call["request"] = collection): Call => ({ call, of: "restore", request });
  const rbac = (call: string, request: Call["request"] = {}): Call => ({ call, of: "rbac", request });
  return [
    backup("ListDatabases", {}),
    backup("ShowCollections", {}),
    backup("DescribeCollection"),
    backup("ShowPartitions"),
    backup("DescribeIndex"),
    backup("GetLoadState"),
    backup("Flush", { collection_names: [absent] }),
    backup("GetPersistentSegmentInfo", { collectionName: absent }),
    // no database and no collection has no name
    restore("CreateDatabase", { db_name: "" }),
    restore("CreateCollection", { collection_name: "", shards_num: 1 }),
    restore("HasCollection"),
    restore("CreatePartition", { ...collection, partition_name: absent }),
    restore("CreateIndex", { ...collection, field_name: absent }),
    restore("DropIndex", { ...collection, field_name: absent, index_name: absent }),
    { ...restore("Import", { ...collection, files: [absent] }), slow: true },
    restore("ListImportTasks"),
    restore("GetCollectionStatistics"),
    restore("RenameCollection", { oldName: absent, newName: `${absent}_renamed` }),
    restore("CreateAlias", { ...collection, alias: `${absent}_alias` }),
    restore("AlterAlias", { ...collection, alias: `${absent}_alias` }),
    restore("LoadCollection"),
    restore("DropCollection"),
    rbac("BackupRBAC"),
    // nothing is added of nothing
    rbac("RestoreRBAC", { RBAC_meta: {} }),
    rbac("SelectUser", { user: { name: absent } }),
    rbac("SelectRole", { role: { name: absent } }),
    rbac("SelectGrant", { entity: { role: { name: absent } } }),
    // no role and no user has no name
    rbac("CreateRole", { entity: { name: "" } }),
    rbac("OperateUserRole", { username: "", role_name: "" }),
    rbac("OperatePrivilege", { entity: { role: { name: "" } } }),
  ];
}

async function tryCall(client: GrpcClient, { call, of, request, slow }: Call): Promise<TriedCall> {
  const tried = (outcome: TriedCall["outcome"], reason = ""): TriedCall => ({ call, of, outcome, reason });
  try {
    const answer = await client.attempt(call, request, { timeoutMs: slow ? slowTimeoutMs : timeoutMs });
    if (answer.kind === "unimplemented") return tried("unknown");
    if (answer.kind === "ok") return tried("allowed");
    const isDenied = statusError(client.endpoint, call, answer.status).name === "MilvusUnauthenticated";
    return isDenied ? tried("denied", answer.status.reason) : tried("allowed");
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    if (error.name === "MilvusUnauthenticated") return tried("denied", messageOf(error));
    const isOver = slow && error instanceof PassingError && error.wait === "outage";
    return isOver || error.name === "MilvusFailed" ? tried("allowed") : tried("unanswered", error.message);
  }
}
