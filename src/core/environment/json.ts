import * as z from "zod";
import { PipelineError } from "../execution/errors.ts";
import { lockSettings } from "../execution/object-lock.ts";
import { storageClasses } from "../execution/storage-class.ts";
import { jsonOrUndefined } from "../execution/work-json.ts";
import type { Environment, StorageSettings } from "./environment.ts";

const credentials = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("static"),
    accessKeyId: z.string(),
    secretAccessKey: z.string(),
    token: z.string(),
  }),
  z.object({ kind: z.literal("iam"), iamEndpoint: z.string(), roleArn: z.string(), externalId: z.string() }),
  z.object({ kind: z.literal("google"), json: z.string() }),
]);

const storage = z.object({
  type: z.enum(["minio", "s3", "aws", "gcp", "ali", "tencent", "hwc", "azure", "gcpnative"]),
  address: z.string(),
  port: z.number().int(),
  region: z.string(),
  useSSL: z.boolean(),
  caCert: z.string().optional(),
  bucket: z.string(),
  requesterPays: z.literal(true).optional(),
  acl: z.literal("bucket-owner-full-control").optional(),
  bucketOwner: z.string().optional(),
  rootPath: z.string(),
  credentials,
  objectLock: lockSettings.optional(),
  storageClass: z.enum(storageClasses).optional(),
});

/** What is kept of an environment. */
export const environmentRecord = z.object({
  name: z.string(),
  milvus: z.object({
    address: z.string(),
    port: z.number().int(),
    restAddress: z.string().optional(),
    restPort: z.number().int().optional(),
    user: z.string(),
    password: z.string(),
    tlsMode: z.literal([0, 1, 2]),
    serverName: z.string(),
    caCert: z.string(),
    mtlsCert: z.string(),
    mtlsKey: z.string(),
    rpcChannelName: z.string().optional(),
    ezkMapping: z.string().optional(),
  }),
  storage,
  backupStorage: storage,
  crossStorage: z.boolean(),
  copyMode: z.enum(["auto", "server-side", "streamed"]).default("auto"),
  multipartCopyThresholdBytes: z.number().int(),
  gcPause: z.object({ enable: z.boolean(), address: z.string() }),
  keepTempFiles: z.boolean(),
  parallelism: z.object({ importJob: z.number().int() }),
  protected: z.boolean().default(false),
});

/** The JSON that is kept in Secrets Manager: a resolved environment, secrets included. Equal environments give equal text. */
export function serializeEnvironment(environment: Environment): string {
  return JSON.stringify(environmentRecord.parse(environment));
}

/**
 * Reads what serializeEnvironment wrote; throws InvalidEnvironment where the secret was changed by hand into something else.
 * The text itself never appears in the error.
 */
export function parseStoredEnvironment(text: string, name: string): Environment {
  const parsed = environmentRecord.safeParse(jsonOrUndefined(text));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key = issue === undefined || issue.path.length === 0 ? "the whole record" : issue.path.join(".");
    throw new PipelineError(
      "InvalidEnvironment",
      `the stored environment ${name} is not valid at ${key}: register it again from its backup.yaml`,
      { details: { environment: name, key } },
    );
  }
  return parsed.data;
}

/** An environment as it may be shown: secrets are replaced by `***`, absent ones stay "". */
export function redact(environment: Environment): Environment {
  return {
    ...environment,
    milvus: {
      ...environment.milvus,
      password: hide(environment.milvus.password),
      mtlsKey: hide(environment.milvus.mtlsKey),
      ...(environment.milvus.ezkMapping !== undefined && { ezkMapping: hide(environment.milvus.ezkMapping) }),
    },
    storage: redactStorage(environment.storage),
    backupStorage: redactStorage(environment.backupStorage),
  };
}

function redactStorage(settings: StorageSettings): StorageSettings {
  if (settings.credentials.kind === "iam") {
    return { ...settings, credentials: { ...settings.credentials, externalId: hide(settings.credentials.externalId) } };
  }
  if (settings.credentials.kind === "google") return { ...settings, credentials: { kind: "google", json: "***" } };
  const { accessKeyId, secretAccessKey, token } = settings.credentials;
  return {
    ...settings,
    credentials: {
      kind: "static",
      // with azure the account's name: what tells its store from others
      accessKeyId:
        settings.type === "azure"
          ? accessKeyId
          : accessKeyId.length > 4
            ? `***${accessKeyId.slice(-4)}`
            : hide(accessKeyId),
      secretAccessKey: hide(secretAccessKey),
      token: hide(token),
    },
  };
}

function hide(secret: string): string {
  return secret === "" ? "" : "***";
}
