import type { Environment } from "../core/environment/environment.ts";
import type { StoreRef } from "../core/execution/copy-plan.ts";
import type { ObjectStore } from "../ports/object-store.ts";
import type { EnvironmentRegistry, StepContext } from "../ports/step-context.ts";
import type { Patience } from "./patience.ts";
import { connectOwnS3, connectS3, type S3Connection } from "./s3/connection.ts";
import { S3ObjectStore } from "./s3/object-store.ts";

/** Clients by the settings they were made from: a warm container keeps its connections, and a changed key gets a new client. */
const connections = new Map<string, S3Connection>();
const maximumConnections = 32;

/**
 * Opens the Milvus bucket or the backup bucket of an environment. Makes no request.
 * @param patience how long a store that has answered is waited for when it does not any more; not at all where absent
 */
export function openEnvironmentStore(
  environment: Environment,
  side: StoreRef["side"],
  patience?: Patience,
): ObjectStore {
  const settings = side === "milvus" ? environment.storage : environment.backupStorage;
  // the root path does not matter to a connection; the bucket does (a dot in its name changes the addressing)
  const identity = JSON.stringify({ ...settings, rootPath: undefined });
  let connection = connections.get(identity);
  if (connection === undefined) {
    if (connections.size >= maximumConnections) connections.clear();
    connection = connectS3(settings);
    connections.set(identity, connection);
  }
  return new S3ObjectStore(connection, settings.bucket, {
    copyMode: environment.crossStorage ? "streamed" : environment.copyMode,
    multipartCopyThresholdBytes: environment.multipartCopyThresholdBytes,
    accessPrefix: settings.rootPath === "" ? "" : `${settings.rootPath}/`,
    patience,
  });
}

/** How steps open stores: by reference to a registered environment. Throws UnknownEnvironment and, for a pinned one, EnvironmentChanged. */
export function storeOpener(registry: EnvironmentRegistry, patience?: Patience): StepContext["openStore"] {
  return async ({ environment: name, side, version }, { earlier = false } = {}) => {
    const pin = version === undefined ? undefined : { version };
    const kept = earlier && version !== undefined ? await registry.getVersion(name, version) : undefined;
    return openEnvironmentStore(kept ?? (await registry.get(name, pin)), side, patience);
  };
}

/** The pipeline's own work bucket. */
export function openWorkStore(bucket: string, patience?: Patience): ObjectStore {
  return new S3ObjectStore(connectOwnS3(), bucket, { patience });
}
