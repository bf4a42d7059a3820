import type { KeyValue } from "./attributes.ts";

/**
 * Properties that a server writes on its own account, by Milvus's source (pkg/common/common.go): those of another collection are wrong
 * for a new one.
 */
const serverManaged: ReadonlySet<string> = new Set([
  // the highest field ID ever given out: the next added field gets the one behind it
  "max_field_id",
  // the encryption zone, copied from the database
  "cipher.ezID",
  // a collection that another cluster replicates into takes no writes
  "replicate.id",
  "replicate.endTS",
]);

/** What a new collection or database is given of several lists of properties, later lists winning: without what servers manage. */
export function ownProperties(...lists: readonly (readonly KeyValue[])[]): KeyValue[] {
  const union = new Map(lists.flat().map(({ key, value }) => [key, value]));
  return [...union].flatMap(([key, value]) => (serverManaged.has(key) ? [] : [{ key, value }]));
}
