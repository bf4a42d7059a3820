import { z } from "zod";
import { LocalStackError } from "../local/errors.ts";

/** What `get --json` says about a backup, as far as it is about its instants. */
const backupDocument = z.object({
  backupName: z.string(),
  collections: z.array(z.object({ instant: z.object({ timestamp: z.string(), time: z.string() }).optional() })),
});

/** When a collection of a backup was what the backup holds. */
export interface BackupInstant {
  /** A hybrid timestamp of Milvus, as decimal text. */
  readonly timestamp: string;
  /** The same as ISO 8601. */
  readonly time: string;
}

/**
 * The instant of a backup of one collection.
 * @param document what `get --json` printed
 * @throws LocalStackError where the backup has another number of collections, or tells no instant
 */
export function instantOf(document: unknown): BackupInstant {
  const { backupName, collections } = backupDocument.parse(document);
  const instant = collections.length === 1 ? collections[0]?.instant : undefined;
  if (instant === undefined)
    throw new LocalStackError(`The backup ${backupName} does not tell the instant of its collection.`);
  return instant;
}
