import { kindOfChecksum } from "../../core/execution/checksum.ts";
import type { CopyBatch, ExpectedLog } from "../../core/execution/copy-plan.ts";
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

/** Compares the objects of a batch, and counts those of which nothing but the size could be compared. */
export class ContentComparison {
  readonly #store: ObjectStore;
  readonly #content: CopyBatch["content"];
  bySize = 0;

  constructor(store: ObjectStore, content: CopyBatch["content"]) {
    this.#store = store;
    this.#content = content;
  }

  /** Answers what is wrong with the content of an object, for people; undefined where it is right, or need not be known. */
  async problemOf(
    object: ObjectSummary,
    expected: ExpectedLog | undefined,
    copied: Partial<CopiedObject>,
  ): Promise<string | undefined> {
    if (this.#content === undefined) return undefined;
    if (expected?.etag === undefined) return `${object.key} is not in the manifest`;
    const read = this.#content === "read";
    const verdict = await compareContent(this.#store, object, expected, { copied, read });
    if (verdict === "right") return undefined;
    const { checksum = "none" } = expected;
    if (verdict === "wrong") return `${object.key} was altered: its content is not that of the manifest (${checksum})`;
    if (read) return `${object.key} cannot be compared with the manifest's checksum (${checksum})`;
    this.bySize += 1;
    return undefined;
  }
}
