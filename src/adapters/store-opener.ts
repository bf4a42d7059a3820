import type { Environment, StorageSettings } from "../core/environment/environment.ts";
import type { StoreRef } from "../core/execution/copy-plan.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { EnvironmentRegistry, StepContext } from "../ports/step-context.ts";
import type { Patience } from "./patience.ts";
import { connectOwnS3, connectS3 } from "./s3/connection.ts";
import { S3ObjectStore } from "./s3/object-store.ts";

/** Clients by the settings they were made from: a warm container keeps its connections, and a changed key gets a new client. */
const connections = new Map<string, unknown>();
const maximumConnections = 32;

/** Of backup.yaml. */
const bucketKeys = { milvus: "minio.bucketName", backup: "minio.backupBucketName" } as const;

/**
 * Opens the Milvus bucket or the backup bucket of an environment, or another bucket of one of those stores. Makes no request. The client of a kind of store is loaded where a
 * store of that kind is opened: nobody else pays for it.
 * @param patience how long a store that has answered is waited for when it does not any more; not at all where absent
 */
export async function openEnvironmentStore(
  environment: Environment,
  side: StoreRef["side"],
  patience?: Patience,
  bucket?: string,
): Promise<ObjectStore> {
  const registered = side === "milvus" ? environment.storage : environment.backupStorage;
  // whose another bucket is, nobody said
  const bucketOwner = bucket === registered.bucket ? registered.bucketOwner : undefined;
  const settings = bucket === undefined ? registered : { ...registered, bucket, rootPath: "", bucketOwner };
  const options = {
    copyMode: environment.crossStorage ? "streamed" : environment.copyMode,
    accessPrefix: settings.rootPath === "" ? "" : `${settings.rootPath}/`,
    patience,
    // what is asked for by its name is not in the environment
    bucketKey: bucket === undefined ? `${bucketKeys[side]} of environment ${environment.name}` : undefined,
  } as const;
  switch (settings.type) {
    case "azure": {
      const { AzureObjectStore, connectAzure } = await import("#stores/azure");
      return new AzureObjectStore(connected(settings, connectAzure), settings.bucket, options);
    }
    case "gcpnative": {
      const { GcsObjectStore, connectGcs } = await import("#stores/gcs");
      return new GcsObjectStore(connected(settings, connectGcs), settings.bucket, options);
    }
    default: {
      const { multipartCopyThresholdBytes } = environment;
      return new S3ObjectStore(connected(settings, connectS3), settings.bucket, {
        ...options,
        multipartCopyThresholdBytes,
      });
    }
  }
}

/** What connects to a store with these settings: made once. */
function connected<T>(settings: StorageSettings, connect: (settings: StorageSettings) => T): T {
  // the root path does not matter to a connection; the bucket does (a dot in its name changes the addressing)
  const identity = JSON.stringify({ ...settings, rootPath: undefined });
  const known = connections.get(identity) as T | undefined;
  if (known !== undefined) return known;
  if (connections.size >= maximumConnections) connections.clear();
  const connection = connect(settings);
  connections.set(identity, connection);
  return connection;
}

/**
 * How steps open stores: by reference to a registered environment.
 * @throws UnknownEnvironment and, for a pinned one, EnvironmentChanged
 */
export function storeOpener(registry: EnvironmentRegistry, patience?: Patience): StepContext["openStore"] {
  return async ({ environment: name, side, version, bucket }, { earlier = false } = {}) => {
    const pin = version === undefined ? undefined : { version };
    const kept = earlier && version !== undefined ? await registry.getVersion(name, version) : undefined;
    return openEnvironmentStore(kept ?? (await registry.get(name, pin)), side, patience, bucket);
  };
}

/** The pipeline's own work bucket. @param accessPrefix below what whoever opens it may list; everything where absent */
export function openWorkStore(bucket: string, patience?: Patience, accessPrefix?: string): ObjectStore {
  return new S3ObjectStore(connectOwnS3(), bucket, { patience, ...(accessPrefix !== undefined && { accessPrefix }) });
}
