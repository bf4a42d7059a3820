import { kindOfChecksum } from "../../core/execution/checksum.ts";
import type { ExpectedLog } from "../../core/execution/copy-plan.ts";
import type { CopiedObject, ObjectStore, ObjectSummary } from "../../ports/object-store.ts";

/** `unknown`: nothing that is at hand tells. */
export type Verdict = "right" | "wrong" | "unknown";

/**
 * Compares an object with what the manifest says of it, by what costs least: what came out of its copy, then its listed ETag, then one
 * request, and with `read` the object itself.
 * @param options.copied what was copied from this very version of it
 * @throws ObjectNotFound where the request finds another version, or none
 */
export async function compareContent(
  store: ObjectStore,
  object: ObjectSummary,
  expected: ExpectedLog,
  options: { readonly copied?: Partial<CopiedObject> | undefined; readonly read: boolean },
): Promise<Verdict> {
  const { etag, checksum } = expected;
  if (object.size !== expected.size) return "wrong";
  const arrived = options.copied?.checksum;
  if (checksum !== undefined && arrived !== undefined && kindOfChecksum(arrived) === kindOfChecksum(checksum)) {
    return arrived === checksum ? "right" : "wrong";
  }
  // the ETag of when the manifest was written, or the MD5 of what another store keeps
  if (object.etag === etag || `md5:${object.etag}` === checksum) return "right";
  if (checksum === undefined) return "unknown";
  const isEqual = await store.hasContent(object, checksum, options);
  return isEqual === undefined ? "unknown" : isEqual ? "right" : "wrong";
}
