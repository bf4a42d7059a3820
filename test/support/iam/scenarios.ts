import type { Machine } from "../../../src/core/execution/machines.ts";
import { workLayout } from "../../../src/core/execution/work-layout.ts";
import { backupLayout } from "../../../src/core/format/layout.ts";
import { httpEvent } from "../http-event.ts";
import type { Fates } from "./machine-runner.ts";
import { workBucket } from "./role-policies.ts";

/** What the runs are made with: everything happens at once, one after the other. */
export interface Hands {
  /** Runs an execution to its end. @param fates what happens to its functions */
  run(machine: Machine, name: string, input: object, fates?: Fates): Promise<void>;
  /** Invokes a function as a rule or schedule does. */
  call(id: string, event: object): Promise<void>;
  /** Removes objects by hand; what ends in `/` with everything below it. */
  remove(bucket: string, keys: readonly string[]): Promise<void>;
  /** Puts a small object there by hand. */
  put(bucket: string, key: string): Promise<void>;
  /** Says in the marks of executions below a prefix that they were last heard of hours ago. */
  age(bucket: string, prefix: string): Promise<void>;
  /** Puts another content in the place of every log below a prefix. */
  alter(bucket: string, prefix: string): Promise<void>;
  /** Garbage collection takes a segment of `books` away, which compaction has replaced. */
  compact(): Promise<void>;
  /** ARN of the key that signs the backups. */
  readonly signingKey: string;
  /** Once a function has written a key that ends so. */
  onceWritten(suffix: string, act: () => Promise<void>): void;
}

const first = backupLayout("backup", "first");

/** Everything that the machines do with the functions' own roles: what goes well, what fails, what died and goes on. */
export async function runWithOwnRoles({
  run,
  call,
  remove,
  put,
  age,
  alter,
  compact,
  onceWritten,
  signingKey,
}: Hands): Promise<void> {
  const books = ["books"];
  await run("backup", "b-first", { environment: "prod", backupName: "first", collections: books, rbac: true });
  await run("backup", "b-small", { environment: "prod", backupName: "small", collections: ["small"] });
  await run("backup", "b-many", { environment: "prod", backupName: "many", collections: ["many"] });

  const locked = { environment: "prod", backupName: "locked", lock: "1d", collections: books };
  await run("backup", "b-locked-dies", locked, { FinalizeBackup: "dies" });
  await run("backup", "b-locked", locked);
  const failing = { environment: "prod", backupName: "failing", collections: books };
  await run("backup", "b-fails", failing, { FinalizeBackup: "fails" });
  await put(
    "backups-of-prod",
    "backup/failing/binlogs/insert_log/470000000000000100/470000000000000200/470000000000000300/470000000000000300/0/999",
  );
  await run("backup", "b-fails-after", failing, { FinalizeBackup: "fails-after" });
  await put("backups-of-prod", "backup/foreign/binlogs/nobodys");
  await run("backup", "b-foreign", { environment: "prod", backupName: "foreign" });
  await run("backup", "b-large", { environment: "prod", backupName: "large", collections: ["large"] });
  const inParts = { environment: "prod-in-parts", backupName: "in_parts", collections: books };
  await run("backup", "b-in-parts", inParts);

  const incremental = { environment: "prod", incremental: true, collections: books };
  await run("backup", "b-inc-dies", { ...incremental, backupName: "inc_dies" }, { FinalizeBackup: "dies" });
  await alter("backups-of-prod", "backup/milvus-backup-segments/");
  await age("backups-of-prod", "backup/milvus-backup-segments/");
  await run("backup", "b-inc", { ...incremental, backupName: "inc" });
  const lost = (machine: Machine, name: string) => () => remove(workBucket, [workLayout(machine, name).receipts]);
  await run("backup", "b-lost", { ...failing, backupName: "lost" }, { FinalizeBackup: lost("backup", "b-lost") });

  const transfer = { from: "prod", to: "dr", backupName: "first", lock: "1d" };
  await run("transfer", "t-dies", transfer, { FinalizeTransfer: "dies" });
  await run("transfer", "t-goes-on", transfer);
  await run("transfer", "t-large", { from: "prod", to: "dr-in-parts", backupName: "large" });
  await put("backups-of-dr", "backup/in_parts/binlogs/nobodys");
  await run("transfer", "t-foreign", { from: "prod", to: "dr", backupName: "in_parts" });
  const again = { from: "prod", to: "dr", backupName: "failing" };
  await run("transfer", "t-lost", again, { FinalizeTransfer: lost("transfer", "t-lost") });
  await run(
    "transfer",
    "t-fails-after",
    { from: "prod", to: "dr", backupName: "failing" },
    { FinalizeTransfer: "fails-after" },
  );
  await run("transfer", "t-fails", { from: "prod", to: "dr", backupName: "locked" }, { CopySegments: "fails" });

  const restore = { environment: "dr", from: "prod", backupName: "first", suffix: "_r" };
  await run("restore", "r-dies", restore, { RecreateCollections: "dies" });
  await run("restore", "r-goes-on", { ...restore, rbac: true });
  await run("restore", "r-signed", { ...restore, signedBy: signingKey, suffix: "_s" });
  await run("restore", "r-many", { ...restore, backupName: "many" });
  await run("restore", "r-inserts", { ...restore, backupName: "small" });
  const rowsGo = () => remove("backups-of-prod", ["backup/small/binlogs/insert_log/"]);
  await run("restore", "r-rows-go", { ...restore, backupName: "small", suffix: "_g" }, { ImportSegments: rowsGo });
  const other = { ...restore, suffix: "_fails" };
  await run("restore", "r-fails", other, { FinishRestore: "fails" });
  await run("restore", "r-discards", { ...other, discard: true });
  await run("restore", "r-again", { ...restore, dropExisting: true }, { FinishRestore: "fails" });
  const old = () => age("milvus-of-dr", "milvus-backup-staging/targets/");
  await run("restore", "r-old", { ...restore, suffix: "_o" }, { RecreateCollections: old, ImportSegments: old });
  const staged = { environment: "dr-in-parts", from: "prod", backupName: "in_parts", suffix: "_parts" };
  await run("restore", "r-in-parts", staged);
  const leases = () => remove("milvus-of-dr", ["milvus-backup-staging/targets/"]);
  await run("restore", "r-loses-1", { ...restore, suffix: "_l" }, { RecreateCollections: leases });
  await run("restore", "r-loses-2", { ...restore, suffix: "_m" }, { ImportSegments: leases });

  await run("verify", "v-reads", { environment: "prod", backupName: "first", readData: 100 });
  onceWritten("/milvus-backup-verified.json", () => remove("backups-of-dr", [first.meta.full_meta]));
  await run("verify", "v-of-what-goes", { environment: "dr", backupName: "first" });
  const reads = { environment: "prod", backupName: "first", readData: 100 };
  await run("verify", "v-rows", { environment: "prod", backupName: "first", rows: 100 });
  const logsGo = () => remove("backups-of-prod", ["backup/in_parts/binlogs/insert_log/"]);
  await run("verify", "v-rows-go", { environment: "prod", backupName: "in_parts", rows: 100 }, { ReadRows: logsGo });
  await run("verify", "v-lost", reads, { FinalizeVerify: lost("verify", "v-lost") });
  const seal = { environment: "prod", backupName: "golden", seal: true };
  await run("verify", "v-seal-dies", seal, { FinalizeVerify: "dies" });
  await run("verify", "v-seal-fails", seal, { CopySegments: "fails" });
  await run("verify", "v-seal", seal);
  const goesAway = () => remove("backups-of-prod", [backupLayout("backup", "golden_goes").meta.full_meta]);
  await run("verify", "v-seal-goes", { ...seal, backupName: "golden_goes" }, { FinalizeVerify: goesAway });

  const drill = { environment: "dr", from: "prod", backupName: "first" };
  await run("drill", "d-first", drill);
  await run("drill", "d-dies", drill, { FinishRestore: "dies", restore: "goes-on" });
  await run("drill", "d-fails", drill, { SearchDrill: "fails", restore: "goes-on" });
  await run("drill", "d-cleans", drill, { restore: "goes-on" });

  await compact();
  await run(
    "backup",
    "b-after",
    { environment: "prod", backupName: "after", collections: books },
    { CopySegments: compact },
  );
  await run("drill", "d-of-inc", { ...drill, backupName: "inc" });
  await run("drill", "d-of-inc-fails", { ...drill, backupName: "inc" }, { SearchDrill: "fails" });
  const night = { environment: "prod", schedule: "nightly", collections: books };
  for (const [index, lock] of [{}, { lock: "1h" }, {}].entries()) {
    const scheduledTime = `2026-11-0${index + 1}T03:00:00Z`;
    await run("backup", `b-night-${index + 1}`, { ...night, ...lock, scheduledTime });
  }
  const oldest = { backupName: "nightly_2026_11_01_03_00_00", suffix: "_n" };
  await run("restore", "r-reads", { ...restore, ...oldest }, { RecreateCollections: "dies" });
  await call("PruneBackups", retention("prod", "nightly"));
  await call("StartTriggeredRestore", {
    trigger: "standby",
    backups: "*",
    restore: { environment: "dr", from: "prod", suffix: "_standby" },
    object: { bucket: "backups-of-prod", key: first.meta.full_meta, etag: "e" },
  });
  await call("WriteReport", { environment: "prod", promises: [] });
}

/** Exports with the functions' own roles, of what the runs before have backed up. */
export async function exportWithOwnRoles({ run, remove, put }: Hands): Promise<void> {
  const of = (backupName: string, folder: string) => ({
    environment: "prod",
    backupName,
    destination: `s3://exports-of-prod/exports/${folder}`,
  });
  await run("export", "e-first", of("first", "first"));
  await run("export", "e-large", of("large", "large"));
  await run("export", "e-texts", { ...of("texts", "texts"), format: "jsonl" });

  await run("export", "e-dies", of("first", "died"), { FinalizeExport: "dies" });
  await remove("exports-of-prod", ["exports/died/default.books/milvus_partition=novels/"]);
  await run("export", "e-goes-on", of("first", "died"));
  await run("export", "e-fails", of("first", "failed"), { ExportSegments: "fails" });
  await run("export", "e-after", of("first", "failed"));
  await put("exports-of-prod", "exports/foreign/nobodys");
  await run("export", "e-foreign", of("first", "foreign"));
  const overtaken = () => put("exports-of-prod", "exports/overtaken/_milvus-backup-export.json");
  await run("export", "e-overtaken", of("first", "overtaken"), { FinalizeExport: overtaken });

  const lost = () => remove(workBucket, [workLayout("export", "e-lost").receipts]);
  await run("export", "e-lost", of("first", "lost"), { FinalizeExport: lost });
  const logsGo = () => remove("backups-of-prod", ["backup/rows/binlogs/insert_log/"]);
  await run("export", "e-logs-go", of("rows", "rows"), { ExportSegments: logsGo });
  const goesAway = () => remove("backups-of-prod", [backupLayout("backup", "texts").meta.full_meta]);
  await run("export", "e-backup-goes", of("texts", "gone"), { FinalizeExport: goesAway });
}

/** The same with a role of the environments: every function that touches data assumes it. */
export async function runWithAssumedRole({ run, call }: Hands): Promise<void> {
  const [environment, to] = ["prod-by-role", "dr-by-role"];
  await run("backup", "a-b", { environment, backupName: "by_role", collections: ["books"] });
  await run(
    "backup",
    "a-b-fails",
    { environment, backupName: "failing_by_role", collections: ["books"] },
    { FinalizeBackup: "fails" },
  );
  await run("transfer", "a-t", { from: environment, to, backupName: "by_role" });
  await run("backup", "a-b-meta", { environment, backupName: "meta_by_role", strategy: "meta_only" });
  await run(
    "transfer",
    "a-t-fails",
    { from: environment, to, backupName: "meta_by_role" },
    { FinalizeTransfer: "fails" },
  );
  await run("restore", "a-r", { environment: to, backupName: "by_role", suffix: "_a" });
  await run(
    "restore",
    "a-r-fails",
    { environment: to, backupName: "by_role", suffix: "_b" },
    { FinishRestore: "fails" },
  );
  await run("verify", "a-v", { environment, backupName: "by_role", rows: 100 });
  await run(
    "verify",
    "a-v-fails",
    { environment, backupName: "golden_by_role", seal: true },
    { CopySegments: "fails" },
  );
  const place = { environment, backupName: "by_role", destination: "s3://exports-of-prod/exports/by_role" };
  await run("export", "a-e-fails", place, { FinalizeExport: "fails" });
  await run("export", "a-e", place);
  await run("drill", "a-d", { environment: to, backupName: "by_role" });
  await run("drill", "a-d-fails", { environment: to, backupName: "by_role" }, { SearchDrill: "fails" });
  await call("PruneBackups", retention(environment, "nightly-by-role"));
  await call("WriteReport", { environment, promises: [] });
}

/** Requests of the REST API about what the runs before have backed up. */
export async function callApi({ call }: Hands): Promise<void> {
  const ask = (method: string, path: string, options: Parameters<typeof httpEvent>[2] = {}) =>
    call("ServeApi", httpEvent(method, path, options));
  await ask("GET", "/list");
  await ask("GET", "/get_backup", { query: "backup_id=nobodys" });
  await ask("POST", "/create", { body: { backup_name: "by_api", collection_names: ["books"], async: true } });
  await ask("POST", "/restore", {
    body: { backup_name: "large", collection_suffix: "_api", async: true, id: "by-api" },
  });
  await ask("GET", "/get_restore", { query: "id=by-api" });
  await ask("GET", "/check");
  await ask("DELETE", "/delete", { query: "backup_name=many" });
}

/** What is said where nobody registered an environment yet that the deployment names. */
export async function runWithUnknownEnvironment({ run, call }: Hands): Promise<void> {
  const [environment, backupName] = ["later", "any"];
  await run("backup", "u-b", { environment });
  await run("restore", "u-r", { environment, backupName });
  await run("transfer", "u-t", { from: environment, to: "dr", backupName });
  await run("verify", "u-v", { environment, backupName });
  await run("export", "u-e", { environment, backupName, destination: "s3://exports-of-prod/exports/any" });
  await run("drill", "u-d", { environment, backupName });
  await call("PruneBackups", retention(environment, "nightly"));
  await call("WriteReport", { environment, promises: [] });
  const restore = { environment, suffix: "_u" };
  const object = { bucket: "backups-of-prod", key: first.meta.full_meta, etag: "u" };
  await call("StartTriggeredRestore", { trigger: "standby", backups: "*", restore, object });
}

function retention(environment: string, schedule: string) {
  const execution = `arn:aws:states:us-east-1:111111111111:execution:MilvusBackup-backup:after-${schedule}`;
  return {
    input: { schedule, environment, keep: { last: 1, failed: 1 } },
    execution,
    startTime: "2026-11-02T03:00:00.000Z",
  };
}
