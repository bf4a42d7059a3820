import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { eventFunctionSpecs, functionSpecs, pascalCase } from "../../infra/functions.ts";
import type { Machine } from "../../src/core/execution/machines.ts";
import { authEmulator } from "../support/auth-emulator.ts";
import { AwsWorld, dataRole } from "../support/iam/aws-world.ts";
import { FunctionPool } from "../support/iam/function-pool.ts";
import { type Fates, functionName, MachineRunner } from "../support/iam/machine-runner.ts";
import { compactOne, milvusWorld } from "../support/iam/milvus-world.ts";
import { needsOf, place } from "../support/iam/needs.ts";
import { allows, type Need } from "../support/iam/policy.ts";
import { type RecordedRequest, RecordingProxy } from "../support/iam/recording-proxy.ts";
import { Replay } from "../support/iam/replay.ts";
import { policiesOf, stack, withKey, workBucket } from "../support/iam/role-policies.ts";
import {
  callApi,
  exportWithOwnRoles,
  runWithAssumedRole,
  runWithOwnRoles,
  runWithUnknownEnvironment,
} from "../support/iam/scenarios.ts";

/**
 * All machines run on an emulator that enforces IAM, every function by its own handler with its own role and the very policy that is deployed.
 * Milvus is in memory. Each statement of each policy is then shown to be needed: some request is refused without it.
 */
const servers = vi.hoisted(() => new Map<string, unknown>());
vi.mock("../../src/adapters/milvus/index.ts", async (original) => ({
  ...(await original<object>()),
  connectMilvus: async ({ name }: { name: string }) => servers.get(name.replace(/-.*/, "")),
}));
// What the functions wait for is there at once.
vi.mock("node:timers/promises", async (original) => ({
  ...(await original<object>()),
  setTimeout: async () => new Promise((resolve) => setImmediate(resolve)),
}));

const roleArn = `arn:aws:iam::${place.account}:role/${dataRole}`;
/** KMS names its keys: the name of this one comes in its place (`withKey`). */
const anyKey = `arn:aws:kms:${place.region}:${place.account}:key/00000000-0000-4000-8000-000000000000`;
const pipeline = `
signBackups: "${anyKey}"
environments:
  prod:
    milvusBuckets: [milvus-of-prod/files]
    backupBuckets: [backups-of-prod/backup]
    exportBuckets: [exports-of-prod/exports]
    roleArns: ["${roleArn}"]
  dr: { milvusBuckets: [milvus-of-dr/files], backupBuckets: [backups-of-dr/backup] }
  prod-by-role: { roleArns: ["${roleArn}"] }
  later: {}
schedules:
  - { name: nightly, environment: prod, expression: rate(1 day), keep: { last: 1 } }
  - { name: nightly-by-role, environment: prod-by-role, expression: rate(1 day), keep: { last: 1 } }
  - { name: nightly-later, environment: later, expression: rate(1 day), keep: { last: 1 } }
restoreTriggers:
  - { name: standby, bucket: backups-of-prod, prefix: backup, from: prod, environment: dr, suffix: _standby }
  - { name: later, bucket: backups-of-prod, prefix: backup, environment: later, suffix: _later }
reports:
  - { name: morning, environment: prod, expression: rate(1 day) }
  - { name: noon, environment: prod-by-role, expression: rate(1 day) }
  - { name: evening, environment: later, expression: rate(1 day) }
api: { environment: prod }
`;

/** Statements, and single actions of some, that nothing here can need: of every function, or of one. */
const notSeenHere: Readonly<Record<string, string>> = {
  WriteLogs: "Lambda writes the logs; no request of the function's own does.",
  KeepWhatFailed: "Lambda puts there what it could not run; no request of the function's own does.",
  JoinNetwork: "Lambda makes the network interfaces before the function runs; the emulator has no VPC.",
  UseDataKeys: "S3 uses the key on behalf of who reads or writes; the emulator asks nobody for it.",
  UseWorkBucketKey: "The same.",
  DecryptEnvironments:
    "Secrets Manager uses the key; the emulator's asks nobody for it (test/infra/encryption.test.ts).",
  EncryptWhatFailed: "SQS uses the key for Lambda, which puts there what it could not run.",
  "FinalizeVerify FindUploadsOfBackups": "For a part of a manifest above 8 MiB.",
  "CopySegments UseStaging s3:DeleteObject":
    "For what another plan left in a directory that is put together: test/unit/steps/copy/merge-segments.test.ts.",
  "ReleaseBackup UseBackups s3:DeleteObject":
    "For a claim under which nothing was written yet: test/unit/steps/shared/backup-claim.test.ts.",
  "ReleaseTransfer UseBackups s3:DeleteObject": "The same.",
  "FinalizeTransfer UseBackups s3:GetObjectRetention":
    "For what lies there already, and is to be locked longer: test/unit/steps/transfer.",
  "FinishRestore ListBackups":
    "S3 tells a backup that is gone from one that may not be read only to whoever may list it (GetObject: NoSuchKey, AccessDenied); users are restored from one that is there.",
  "ServeApi AssumeRoles": "The environment of the API here has no role; the others assume theirs by the same client.",
  "s3:AbortMultipartUpload":
    "Sent where a killed function left parts, or an upload fails (test/contract/object-store.contract.ts).",
};

function whyNotSeen(id: string, sid: string, action?: string): string | undefined {
  const keys = action === undefined ? [sid, `${id} ${sid}`] : [action, `${id} ${sid} ${action}`];
  return keys.map((key) => notSeenHere[key]).find((reason) => reason !== undefined);
}

const names = [...functionSpecs, ...eventFunctionSpecs].map(({ name }) => name);
const ids = names.map(pascalCase);
let policies = policiesOf(pipeline, ids);
const statements = [...policies].flatMap(([id, all]) => all.map(({ Sid, Action }) => ({ id, Sid, Action })));
const emulator = authEmulator("least-privilege", 4592);
const rootCredentials = emulator.rootCredentials(place.account);
const milvus = milvusWorld();
for (const name of ["prod", "dr"]) servers.set(name, milvus.milvus(name));
const aws = new AwsWorld(emulator, milvus);

interface Needed {
  readonly need: Need;
  readonly request: RecordedRequest;
}
/** What each function needed, by its id. */
const needed = new Map<string, readonly Needed[]>();
const outcomes = new Map<string, string>();
const environment = { ...process.env };

beforeAll(async () => {
  await emulator.start();
  await aws.prepare(["milvus-of-prod", "milvus-of-dr", "backups-of-prod", "backups-of-dr", "exports-of-prod"]);
  const signingKey = await aws.makeSigningKey();
  policies = withKey(policies, anyKey, signingKey);
  await aws.makeRoles(
    "functions",
    [...policies].map(([id, all]) => [`${stack}-${id}`, all]),
  );
  const proxy = await RecordingProxy.start(emulator);
  try {
    await aws.register(["prod", "dr"], proxy.port, proxy.endpoint);
    const pool = new FunctionPool(proxy.endpoint, {
      rootCredentials,
      signingKey,
      load: (name) => {
        vi.resetModules();
        return import(`../../functions/${name}/handler.ts`);
      },
    });
    await runEverything(pool, proxy, signingKey);
    const byFunction = Map.groupBy(proxy.requests, ({ accessKeyId }) => pool.functions.get(accessKeyId));
    for (const id of ids) {
      const requests = byFunction.get(functionName(id, names)) ?? [];
      needed.set(
        id,
        requests.flatMap((request) => needsOf(request).map((need) => ({ need, request }))),
      );
    }
  } finally {
    process.env = environment;
    await proxy.stop();
  }
}, 600_000);
afterAll(() => emulator.stop());

async function runEverything(pool: FunctionPool, proxy: RecordingProxy, signingKey: string): Promise<void> {
  const invoke = async (id: string, event: unknown) => {
    if (id === "ImportSegments") await aws.download("milvus-of-dr", "milvus-backup-staging/");
    return pool.invoke(functionName(id, names), `${stack}-${id}`, event);
  };
  const runner = new MachineRunner({
    invoke,
    beginRestore: (name) => aws.beginRestore(name),
    readItems: async (key) => JSON.parse((await aws.read(workBucket, key)).toString()),
  });
  const hands = {
    signingKey,
    run: async (machine: Machine, name: string, input: object, fates?: Fates) => {
      const ended = await runner.run(machine, name, input, fates);
      outcomes.set(name, ended === undefined ? "died" : (ended.error ?? ended.status));
    },
    call: async (id: string, event: object) => {
      const ended = await invoke(id, event).then(
        () => "answered",
        (error: Error) => error.name,
      );
      const { rawPath = "" } = event as { rawPath?: string };
      outcomes.set(`${id} ${JSON.stringify(event).match(/"environment":"([^"]+)"/)?.[1] ?? rawPath}`, ended);
    },
    remove: (bucket: string, prefixes: readonly string[]) => aws.remove(bucket, prefixes),
    put: (bucket: string, key: string) => aws.put(bucket, key, "nobody's"),
    age: (bucket: string, prefix: string) => aws.age(bucket, prefix),
    alter: (bucket: string, prefix: string) => aws.alter(bucket, prefix),
    compact: async () => {
      const { gone, keys } = await compactOne(milvus);
      await aws.upload("milvus-of-prod", keys);
      await aws.remove("milvus-of-prod", [gone]);
    },
    onceWritten(suffix: string, act: () => Promise<void>) {
      proxy.onAnswer = async ({ method, url }) => {
        if (method !== "PUT" || !url.split("?")[0]?.endsWith(suffix)) return;
        proxy.onAnswer = async () => {};
        await act();
      };
    },
  };
  await runWithAssumedRole(hands);
  await runWithOwnRoles(hands);
  await exportWithOwnRoles(hands);
  await callApi(hands);
  await runWithUnknownEnvironment(hands);
}

/** What nobody would let pass without a statement. */
function neededBy(id: string, sid: string): Needed[] {
  const policy = policies.get(id) ?? [];
  const rest = policy.filter(({ Sid }) => Sid !== sid);
  return (needed.get(id) ?? []).filter(({ need }) => allows(policy, need) && !allows(rest, need));
}

it("everything was run: what goes well, what fails, what died and goes on", () => {
  const endsOf = (ended: string) => [...outcomes].flatMap(([name, each]) => (each === ended ? [name] : [])).sort();
  expect(new Set(outcomes.values())).toEqual(
    new Set([
      ...["succeeded", "answered", "died", "MadeToFail", "CopyFailed", "UnknownEnvironment"],
      ...["BackupExists", "BackupNotFound", "ClaimLost", "CopyMismatch", "CorruptBackup", "TargetExists"],
    ]),
  );
  expect(endsOf("succeeded")).toEqual([
    ...["a-b", "a-b-meta", "a-d", "a-e", "a-r", "a-t", "a-v"],
    ...[
      "b-after",
      "b-first",
      "b-in-parts",
      "b-inc",
      "b-large",
      "b-locked",
      "b-many",
      "b-night-1",
      "b-night-2",
      "b-night-3",
      "b-small",
    ],
    ...["d-cleans", "d-first", "d-of-inc"],
    ...["e-after", "e-first", "e-goes-on", "e-large", "e-texts"],
    ...["r-discards", "r-goes-on", "r-in-parts", "r-inserts", "r-many", "r-old", "r-signed"],
    ...["t-goes-on", "t-large", "v-reads", "v-rows", "v-seal"],
  ]);
  expect(endsOf("answered")).toEqual([
    ...["PruneBackups prod", "PruneBackups prod-by-role"],
    ...["check", "create", "delete", "get_backup", "get_restore", "list", "restore"].map(
      (name) => `ServeApi /api/v1/${name}`,
    ),
    "StartTriggeredRestore dr",
    ...["WriteReport prod", "WriteReport prod-by-role"],
  ]);
  expect(endsOf("UnknownEnvironment")).toHaveLength(9);
  expect(endsOf("TargetExists")).toEqual(["e-foreign", "e-overtaken"]);
});

it.each(ids)("%s is refused nothing, and does nothing that its policy does not say", (id) => {
  const all = needed.get(id) ?? [];

  expect(all.filter(({ request: { status } }) => status === 403).map(({ need }) => need)).toEqual([]);
  expect(all.filter(({ need }) => !allows(policies.get(id) ?? [], need)).map(({ need }) => need)).toEqual([]);
  expect(all.length).toBeGreaterThan(0);
});

it.each(statements.filter(({ id, Sid }) => whyNotSeen(id, Sid) === undefined))(
  "$id needs $Sid, for each of its actions",
  ({ id, Sid, Action }) => {
    const used = new Set(neededBy(id, Sid).map(({ need }) => need.action));

    const unused = Action.filter((action) => !used.has(action) && whyNotSeen(id, Sid, action) === undefined);
    expect(unused).toEqual([]);
    expect(used.size).toBeGreaterThan(0);
  },
);

describe("the emulator, without a statement,", () => {
  const roleOf = (id: string, sid: string) => `${id}-without-${sid}`;
  beforeAll(async () => {
    const without = (id: string, sid: string) => (policies.get(id) ?? []).filter(({ Sid }) => Sid !== sid);
    await aws.makeRoles(
      "lacking",
      statements.map(({ id, Sid }) => [roleOf(id, Sid), without(id, Sid)] as const),
    );
  }, 120_000);

  it.each(ids)("refuses %s what that is for", async (id) => {
    const replay = new Replay(emulator.endpoint, rootCredentials);
    const allowed: string[] = [];
    let asked = 0;
    for (const { Sid } of policies.get(id) ?? []) {
      const direct = neededBy(id, Sid).find(({ need }) => need.documented === undefined);
      if (direct === undefined) continue;
      asked += 1;
      const answered = await replay.as(roleOf(id, Sid), direct.request);
      if (answered !== undefined) allowed.push(`${Sid}: ${direct.need.action} answered ${answered}`);
    }
    expect(allowed).toEqual([]);
    expect(asked).toBeGreaterThan(0);
  });
});

it("nothing is left out here but what is said with its reason", () => {
  const example = readFileSync(new URL("../../examples/pipeline.yaml", import.meta.url), "utf8");
  const granted = [...policiesOf(example, ids)].flatMap(([id, all]) => all.map(({ Sid }) => `${id} ${Sid}`));
  const judged = new Set(statements.map(({ id, Sid }) => `${id} ${Sid}`));

  const left = granted.filter((statement) => !judged.has(statement)).map((statement) => statement.split(" ")[1]);
  expect([...new Set(left)].filter((sid) => !(String(sid) in notSeenHere))).toEqual([]);
});
