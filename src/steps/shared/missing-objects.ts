import { createHash } from "node:crypto";
import { type ManifestIndex, parseManifestPart } from "../../core/format/manifest.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** So many are named; one is enough to know. */
const mostNamed = 3;

/**
 * What a backup lacks of what its manifest lists, by one listing of its folder: key and size, not content. Both are read in pieces; of
 * each object that lies there 8 bytes are kept, 16 MB for two million.
 * @returns up to three keys, relative to the backup's root; empty where everything is there
 * @throws CorruptBackup where a part of the manifest is not what its index says, ObjectNotFound where there is none
 */
export async function missingObjects(stored: StoredBackup, index: ManifestIndex): Promise<string[]> {
  const { store, layout } = stored;
  const present = await marksOf(stored, new Set(index.parts.map(({ collectionId }) => collectionId)));
  const missing: string[] = [];
  const look = ({ key, size }: { key: string; size: number }) => {
    if (missing.length < mostNamed && !has(present, mark(key, size))) missing.push(key);
  };
  index.metas.forEach(look);
  index.parts.forEach(look);
  for (const part of index.parts) {
    if (missing.length > 0) break;
    for (const object of parseManifestPart(await store.getText(layout.absolute(part.key)), part)) look(object);
  }
  return missing;
}

/** One number for each object below the root, and in the place it shares with others, sorted. */
async function marksOf(stored: StoredBackup, collectionIds: ReadonlySet<string>): Promise<BigUint64Array> {
  const { store, layout } = stored;
  let marks = new BigUint64Array(1_024);
  let length = 0;
  const everything = async function* () {
    yield* store.list(layout.root);
    yield* stored.listShared(collectionIds);
  };
  for await (const { key, size } of everything()) {
    if (length === marks.length) {
      const larger = new BigUint64Array(length * 2);
      larger.set(marks);
      marks = larger;
    }
    marks[length] = mark(layout.relative(key), size);
    length += 1;
  }
  return marks.subarray(0, length).sort();
}

function mark(key: string, size: number): bigint {
  return createHash("sha256").update(`${size} ${key}`).digest().readBigUInt64BE();
}

function has(sorted: BigUint64Array, wanted: bigint): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0n) < wanted) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === wanted;
}
