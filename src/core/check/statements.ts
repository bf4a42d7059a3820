import * as z from "zod";
import { liesAmongMilvus } from "../deployment/bucket-root.ts";
import type { Environment, StorageSettings } from "../environment/environment.ts";
import { locksObjects } from "../environment/keeping.ts";
import { sameBucket, sameStore, storeIdentity } from "../environment/storage-identity.ts";
import type { PipelineError } from "../execution/errors.ts";
import { backupsRoot, milvusLayout, stagingRoot } from "../format/layout.ts";

const strings = z.union([z.string(), z.array(z.string())]);

/** A statement of a policy as IAM takes it, to be pasted. */
export const policyStatement = z.strictObject({
  Sid: z.string(),
  Effect: z.literal("Allow"),
  /** Of a trust policy or a bucket's only. */
  Principal: z.strictObject({ AWS: z.string() }).optional(),
  Action: strings,
  Resource: strings.optional(),
  Condition: z.record(z.string(), z.record(z.string(), strings)).optional(),
});
type PolicyStatement = z.infer<typeof policyStatement>;

/** A statement, and where it belongs. */
export const neededStatement = z.strictObject({
  /** `the policy of role arn:...` */
  to: z.string(),
  /** When it is needed, where that is not always. */
  when: z.string().optional(),
  statement: policyStatement,
});
export type NeededStatement = z.infer<typeof neededStatement>;

/** Whose bucket: Milvus's, or that of the backups. */
export type Side = "milvus" | "backup";

/** What has no role of its own and no keys in an environment is done by whoever runs. */
export interface Runner {
  /** `role arn:...`, `arn:aws:iam::...:user/me` */
  readonly name: string;
}

const placeholder = { key: "arn:aws:kms:REGION:ACCOUNT:key/KEY-ID", principal: "ARN-OF-THE-FUNCTIONS-ROLE" };

/** Everything that the store's permissions have to allow for an environment; empty for stores that have no such policies. */
export function neededStatements(environment: Environment, runner: Runner): NeededStatement[] {
  return (["milvus", "backup"] as const).flatMap((side) => {
    const settings = settingsOf(environment, side);
    if (!locksObjects(settings.type)) return [];
    const to = policyOf(settings, runner);
    const own = statementsOf(environment, side).map((statement) => ({ to, statement }));
    const key = keyStatement(side, ["kms:Decrypt", "kms:GenerateDataKey"], placeholder.key);
    return [
      ...own,
      { to, when: `bucket ${settings.bucket} is encrypted with a customer-managed key of KMS`, statement: key },
      ...copyStatements(environment, side, runner),
      ...roleStatements(side, settings, runner),
    ];
  });
}

/** What is to be known of statements that reach what is Milvus's, as a sentence; undefined where they do not. */
export function reachOfBackups({ storage, backupStorage }: Environment): string | undefined {
  if (!sameBucket(storage, backupStorage) || !liesAmongMilvus(backupStorage, storage)) return undefined;
  const [milvus, backups] = [storage, backupStorage].map(({ bucket, rootPath }) => `${bucket}/${rootPath}`);
  return (
    `The backups (${backups}) lie where Milvus's own data does (${milvus}): who may write and remove backups may do so to that data, and a check ` +
    "writes its probes there. Give them a root path of their own (minio.backupRootPath)"
  );
}

/**
 * The statements without which a request was refused; none where it was refused for another reason.
 * @param side whose credentials signed it
 */
export function missingStatements(
  environment: Environment,
  side: Side,
  error: PipelineError,
  runner: Runner,
): NeededStatement[] {
  const { details } = error;
  const settings = settingsOf(environment, side);
  if (error.name !== "StoreAccessDenied" || !locksObjects(settings.type)) return [];
  const { action, kmsAction, kmsKey, principal } = details;
  if (action === "sts:AssumeRole") return roleStatements(side, settings, runner, textOf(principal));
  if (details.denied !== true) return [];
  const to = policyOf(settings, runner);
  if (typeof kmsAction === "string") {
    return [{ to, statement: keyStatement(side, [kmsAction], textOf(kmsKey) ?? placeholder.key) }];
  }
  const own = statementsOf(environment, side)
    .filter((statement) => [statement.Action].flat().includes(String(action)))
    .map((statement) => ({ to, statement }));
  return details.copy === true ? [...own, ...copyStatements(environment, side, runner)] : own;
}

export function settingsOf(environment: Environment, side: Side): StorageSettings {
  return side === "milvus" ? environment.storage : environment.backupStorage;
}

/** What signs requests to a bucket, for people. */
function signerOf({ credentials }: StorageSettings, runner: Runner): string {
  if (credentials.kind === "iam") return credentials.roleArn === "" ? runner.name : `role ${credentials.roleArn}`;
  const id = credentials.kind === "static" ? credentials.accessKeyId : "";
  return id.length > 4 ? `the user of access key ...${id.slice(-4)}` : "the user of the access key";
}

function policyOf(settings: StorageSettings, runner: Runner): string {
  return `the policy of ${signerOf(settings, runner)}`;
}

/** What who signs for a side has to be allowed, by what a refused request names as its action. */
function statementsOf(environment: Environment, side: Side): PolicyStatement[] {
  const { storage, backupStorage } = environment;
  if (side === "milvus") {
    const bucket = bucketArn(storage);
    const root = literal(milvusLayout(storage.rootPath).root);
    return [
      list("ListMilvus", bucket, [root, stagingRoot]),
      uploads("ListStagedUploads", bucket),
      allow("ReadMilvus", ["s3:GetObject"], [`${bucket}/${root}*`, `${bucket}/${stagingRoot}*`]),
      allow("WriteStaging", writing, [`${bucket}/${stagingRoot}*`]),
      allow("RemoveStaging", ["s3:DeleteObject"], [`${bucket}/${stagingRoot}*`]),
      ...ownership("GiveStagingToOwner", storage, stagingRoot),
    ];
  }
  const bucket = bucketArn(backupStorage);
  const root = literal(backupsRoot(backupStorage.rootPath));
  const objects = [`${bucket}/${root}*`];
  return [
    list("ListBackups", bucket, [root]),
    uploads("ListBackupUploads", bucket),
    allow("ReadBackups", ["s3:GetObject"], objects),
    allow("WriteBackups", writing, objects),
    allow("RemoveBackups", ["s3:DeleteObject"], objects),
    ...ownership("GiveBackupsToOwner", backupStorage, root),
    ...(backupStorage.objectLock === undefined
      ? []
      : [
          allow("AskForLocks", ["s3:GetBucketObjectLockConfiguration"], [bucket]),
          allow("LockBackups", ["s3:GetObjectRetention", "s3:PutObjectRetention"], objects),
        ]),
  ];
}

const writing = ["s3:PutObject", "s3:AbortMultipartUpload"];

/** A copy within one store is signed by its destination, which reads the source with the same request. */
function copyStatements(environment: Environment, side: Side, runner: Runner): NeededStatement[] {
  const other = side === "milvus" ? "backup" : "milvus";
  const [destination, source] = [settingsOf(environment, side), settingsOf(environment, other)];
  const streamed = environment.crossStorage || environment.copyMode === "streamed";
  if (streamed || !sameStore(destination, source) || signerOf(destination, runner) === signerOf(source, runner)) {
    return [];
  }
  const root = literal(other === "milvus" ? milvusLayout(source.rootPath).root : backupsRoot(source.rootPath));
  const action = "s3:GetObject";
  const Sid = other === "milvus" ? "CopyFromMilvus" : "CopyFromBackups";
  const when =
    environment.copyMode === "server-side"
      ? undefined
      : `copies into bucket ${destination.bucket} are to be made by the store (they are streamed without it)`;
  return [
    {
      to: policyOf(destination, runner),
      ...(when !== undefined && { when }),
      statement: allow(Sid, [action], [`${bucketArn(source)}/${root}*`]),
    },
  ];
}

/** What lets whoever runs assume the role of a side. */
function roleStatements(
  side: Side,
  { credentials }: StorageSettings,
  runner: Runner,
  principal: string = placeholder.principal,
): NeededStatement[] {
  if (credentials.kind !== "iam" || credentials.roleArn === "") return [];
  const { roleArn, externalId } = credentials;
  const action = "sts:AssumeRole";
  // the value itself is a secret of the environment
  const condition = { StringEquals: { "sts:ExternalId": "EXTERNAL-ID-OF-THE-ENVIRONMENT" } };
  return [
    {
      to: `the policy of ${runner.name}`,
      statement: allow(side === "milvus" ? "AssumeMilvusRole" : "AssumeBackupRole", [action], [roleArn]),
    },
    {
      to: `the trust policy of role ${roleArn}`,
      statement: {
        Sid: "TrustMilvusBackup",
        Effect: "Allow",
        Principal: { AWS: principal },
        Action: action,
        ...(externalId !== "" && { Condition: condition }),
      },
    },
  ];
}

/** For the policy of who signs; the key's own policy has to let that account in as well. */
function keyStatement(side: Side, actions: readonly string[], key: string): PolicyStatement {
  return allow(side === "milvus" ? "UseMilvusKey" : "UseBackupKey", actions, [key]);
}

function ownership(sid: string, settings: StorageSettings, root: string): PolicyStatement[] {
  if (settings.acl === undefined) return [];
  const Condition = { StringEquals: { "s3:x-amz-acl": settings.acl } };
  return [{ ...allow(sid, ["s3:PutObjectAcl"], [`${bucketArn(settings)}/${root}*`]), Condition }];
}

function list(sid: string, bucket: string, roots: readonly string[]): PolicyStatement {
  const below = [...new Set(roots.map((root) => `${root}*`))];
  // the whole bucket: a condition would say nothing
  const isAll = below.includes("*");
  return {
    ...allow(sid, ["s3:ListBucket"], [bucket]),
    ...(!isAll && { Condition: { StringLike: { "s3:prefix": below } } }),
  };
}

function uploads(sid: string, bucket: string): PolicyStatement {
  return allow(sid, ["s3:ListBucketMultipartUploads"], [bucket]);
}

function allow(Sid: string, actions: readonly string[], resources: readonly string[]): PolicyStatement {
  const short = (all: readonly string[]) => (all.length === 1 && all[0] !== undefined ? all[0] : [...all]);
  return { Sid, Effect: "Allow", Action: short(actions), Resource: short([...new Set(resources)]) };
}

/** What a policy would take for a pattern or a variable stands for itself. */
function literal(path: string): string {
  return path.replace(/[*?$]/g, (character) => `\${${character}}`);
}

function bucketArn(settings: StorageSettings): string {
  const store = storeIdentity(settings);
  return `arn:${store.startsWith("aws-") ? store : "aws"}:s3:::${settings.bucket}`;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
