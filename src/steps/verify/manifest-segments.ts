import type { CopySegment } from "../../core/execution/copy-plan.ts";
import { parseLogKey } from "../../core/format/layout.ts";
import type { ManifestIndex, ManifestObject, ManifestPart } from "../../core/format/manifest.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { StoredBackup } from "../shared/stored-backup.ts";

/** Where an object lies: whose it is, and the directory of its segment's logs of its kind. */
interface Place {
  readonly segment: Pick<CopySegment, "collectionId" | "partitionId" | "segmentId">;
  readonly kind: "insert" | "delta";
  readonly directory: string;
}

/** The objects that a manifest lists, by segment, as they stand there: those of a segment one after another. */
export async function* manifestSegments(stored: StoredBackup, index: ManifestIndex): AsyncGenerator<SizedSegment> {
  for (const part of index.parts) yield* partSegments(stored, part);
}

/** How many segments a part lists. @throws CorruptBackup where it is not what its index says */
export async function countSegments(stored: StoredBackup, part: ManifestPart): Promise<number> {
  let count = 0;
  for await (const _ of partSegments(stored, part)) count += 1;
  return count;
}

/** A segment that goes on in the next part is two, of which each is looked at. */
async function* partSegments(stored: StoredBackup, part: ManifestPart): AsyncGenerator<SizedSegment> {
  let open: { segment: CopySegment; bytes: number } | undefined;
  for await (const object of stored.manifestObjects(part)) {
    const key = stored.layout.absolute(object.key);
    const place = placeOf(key);
    if (open && !isSame(open.segment, place.segment)) {
      yield open;
      open = undefined;
    }
    open ??= { segment: { ...place.segment, rows: "0", isL0: false, prefixes: [] }, bytes: 0 };
    expectObject(open.segment, place, key, object);
    open.bytes += object.size;
  }
  if (open) yield open;
}

function expectObject(
  { prefixes }: CopySegment,
  { kind, directory }: Place,
  key: string,
  object: ManifestObject,
): void {
  const known = prefixes.find(({ from }) => from === directory);
  const prefix = known ?? { kind, from: directory, to: "", expect: [] };
  if (known === undefined) prefixes.push(prefix);
  const { size, etag, checksum } = object;
  const path = key.slice(directory.length);
  prefix.expect?.push({ path, size, etag, ...(checksum !== undefined && { checksum }) });
}

function placeOf(key: string): Place {
  const log = parseLogKey(key);
  const above = (path: string) => path.slice(0, path.lastIndexOf("/"));
  // an insert log lies in the directory of its field
  const directory = `${log?.kind === "insert" ? above(above(key)) : above(key)}/`;
  const { collectionId = "0", partitionId = "0", segmentId = "0", kind = "insert" } = log ?? {};
  return { segment: { collectionId, partitionId, segmentId }, kind, directory };
}

function isSame(one: Place["segment"], other: Place["segment"]): boolean {
  return (
    one.segmentId === other.segmentId &&
    one.partitionId === other.partitionId &&
    one.collectionId === other.collectionId
  );
}
