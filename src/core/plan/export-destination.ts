import type { Environment, StorageSettings } from "../environment/environment.ts";
import { sameBucket } from "../environment/storage-identity.ts";
import { PipelineError } from "../execution/errors.ts";

/** Where an export goes. */
export interface ExportDestination {
  readonly bucket: string;
  /** Without slashes at its ends, not empty. */
  readonly prefix: string;
  /** `s3://bucket/prefix/` */
  readonly url: string;
}

const schemeOf = (type: StorageSettings["type"]) => (type === "azure" ? "azure" : type === "gcpnative" ? "gs" : "s3");

/** What restores stage beside Milvus's data. */
const stagingRoot = "milvus-backup-staging";

/**
 * Reads a destination: `s3://bucket/prefix`, or with a store of that kind `gs://bucket/prefix` or `azure://container/prefix`.
 * @throws InvalidInput with what is accepted
 */
export function parseDestination(text: string, storage: Pick<StorageSettings, "type">): ExportDestination {
  const scheme = schemeOf(storage.type);
  const [, given, bucket = "", path = ""] = /^([a-z0-9]+):\/\/([^/]*)\/?(.*)$/.exec(text) ?? [];
  const prefix = path.replace(/\/+$/, "");
  const segments = prefix.split("/");
  const isUsable =
    given === scheme &&
    /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(bucket) &&
    segments.every((segment) => /^[A-Za-z0-9._=+@-]+$/.test(segment) && !/^\.+$/.test(segment));
  if (isUsable) return { bucket, prefix, url: `${scheme}://${bucket}/${prefix}/` };
  throw refused(
    `${JSON.stringify(text)} is no place for an export: use ${scheme}://bucket/folder, a folder of letters, digits and ._=+@- ` +
      "(a whole bucket is none)",
  );
}

/**
 * An export lies beside what backups and Milvus have, never within: their own clean-ups would take it, or it would be taken for a part of them.
 * @throws InvalidInput
 */
export function checkDestination(
  { bucket, prefix, url }: ExportDestination,
  store: StorageSettings,
  environments: readonly Pick<Environment, "name" | "storage" | "backupStorage">[],
): void {
  const target = { ...store, bucket };
  for (const { name, storage, backupStorage } of environments) {
    const places = [
      { settings: backupStorage, what: `the backups of environment ${name}` },
      { settings: storage, what: `the data of environment ${name}'s Milvus` },
    ];
    for (const { settings, what } of places) {
      if (!sameBucket(target, settings)) continue;
      if (!overlap(prefix, settings.rootPath) && !overlap(prefix, stagingRoot)) continue;
      const there = settings.rootPath === "" ? "the whole bucket" : `${settings.bucket}/${settings.rootPath}`;
      throw refused(`${url} lies where ${what} are kept (${there}): export to another folder or bucket`);
    }
  }
}

function overlap(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => (path === "" ? "" : `${path}/`)) as [string, string];
  return a.startsWith(b) || b.startsWith(a);
}

function refused(reason: string): PipelineError {
  return new PipelineError("InvalidInput", `destination: ${reason}`, { details: { key: "destination" } });
}
