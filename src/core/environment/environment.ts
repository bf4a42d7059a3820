import type { LockSettings } from "../execution/object-lock.ts";
import type { StorageClass } from "../execution/storage-class.ts";

/**
 * An environment: one backup.yaml as milvus-backup reads it (one Milvus, its bucket, where its backups live), resolved: every
 * default filled in. Registered under a name; executions name it.
 */
export interface Environment {
  readonly name: string;
  readonly milvus: MilvusSettings;
  /** Milvus's own bucket and root path. */
  readonly storage: StorageSettings;
  /** Where backups live. */
  readonly backupStorage: StorageSettings;
  /** true: never copy server-side between the two, even where they look like one store. */
  readonly crossStorage: boolean;
  /**
   * - `auto`: server-side within one object store (streamed where the store refuses that), streamed otherwise
   * - `server-side`: always, so that a missing grant is an error
   * - `streamed`: always
   */
  readonly copyMode: CopyMode;
  readonly multipartCopyThresholdBytes: number;
  readonly gcPause: { readonly enable: boolean; readonly address: string };
  /** true: staging files are kept after a restore, to debug. */
  readonly keepTempFiles: boolean;
  readonly parallelism: { readonly importJob: number };
  /** true: nothing is restored into it and none of its backups is deleted unless the caller names it once more (`confirm`). */
  readonly protected: boolean;
}

/** An environment as it is registered. */
export interface RegisteredEnvironment extends Environment {
  /** Names what was registered: another one for every registration of other content. Tells nothing of the content. */
  readonly version: string;
}

/** Which registration of an environment an execution began with. */
export interface EnvironmentPin {
  readonly version: string;
  /** Its settings without secrets: names what changed where the registry keeps that version no more. */
  readonly settings?: Environment;
}

export type CopyMode = "auto" | "server-side" | "streamed";

export interface MilvusSettings {
  readonly address: string;
  readonly port: number;
  /** Host of the REST interface, `https://` or `http://` before it where its TLS is not that of `tlsMode`; absent: `address`. */
  readonly restAddress?: string | undefined;
  /** Absent: `port`, which Milvus serves both on. */
  readonly restPort?: number | undefined;
  readonly user: string;
  readonly password: string;
  /** 0 off, 1 the client checks the server, 2 mutual. */
  readonly tlsMode: 0 | 1 | 2;
  readonly serverName: string;
  /** PEM text; "" where none is given. */
  readonly caCert: string;
  readonly mtlsCert: string;
  readonly mtlsKey: string;
  /** The channel that CDC of Milvus 2.5 replicates through; Milvus's own default where absent. */
  readonly rpcChannelName?: string | undefined;
  /** Which key of an encrypted database is given in place of which when it is restored there: JSON, old to new. Absent where none is. */
  readonly ezkMapping?: string | undefined;
}

export interface StorageSettings {
  /** As in the YAML, aliases folded. All but azure and gcpnative speak S3. */
  readonly type: "minio" | "s3" | "aws" | "gcp" | "ali" | "tencent" | "hwc" | "azure" | "gcpnative";
  readonly address: string;
  readonly port: number;
  readonly region: string;
  readonly useSSL: boolean;
  /** PEM text of the authority that signed the store's certificate; absent for a public one. */
  readonly caCert?: string | undefined;
  readonly bucket: string;
  /** true: whoever asks pays for the requests and for what is read, and says so with each of them. */
  readonly requesterPays?: true | undefined;
  /** What is written belongs to the bucket's owner, also where that is another account and the bucket has ACLs; absent: no ACL is set. */
  readonly acl?: "bucket-owner-full-control" | undefined;
  /** The AWS account that must own the bucket, 12 digits: requests to another one's of that name are refused. Absent: nobody looks. */
  readonly bucketOwner?: string | undefined;
  /** Without slashes at its ends. */
  readonly rootPath: string;
  readonly credentials: StorageCredentials;
  /** How long every backup is locked that is written there; absent: not at all. */
  readonly objectLock?: LockSettings | undefined;
  /** Of the logs of backups; absent: what the bucket gives by itself. Metas stay in that one, so that lists work. */
  readonly storageClass?: StorageClass | undefined;
}

export type StorageCredentials =
  /** With azure: the account's name, its key, and in place of the key a shared access signature as token. */
  | { readonly kind: "static"; readonly accessKeyId: string; readonly secretAccessKey: string; readonly token: string }
  /** The role of whoever runs the code (a Lambda's role), or a role assumed from it. */
  | { readonly kind: "iam"; readonly iamEndpoint: string; readonly roleArn: string; readonly externalId: string }
  /** The JSON of a Google service account, or of a workload identity federation. */
  | { readonly kind: "google"; readonly json: string };

/** The channel that CDC of Milvus 2.5 replicates through. */
export function rpcChannelName({ milvus }: Pick<Environment, "milvus">): string {
  return milvus.rpcChannelName ?? "by-dev-replicate-msg";
}
