import * as z from "zod";
import { instant } from "../milvus/instant.ts";

/** What whoever reads rows must know of a collection: a file in the work bucket. Records of the metas are texts: they have 64-bit integers. */
export const collectionOfRows = z.object({
  /** `db.coll` */
  collection: z.string(),
  /** A `CollectionSchema`. */
  schema: z.string(),
  /** Where the collection was cut; absent in a backup that does not know: then all of it counts. */
  instant: instant.optional(),
});

/** Directory of the backup, to find its logs by. */
export const backupOfRows = z.object({ rootPath: z.string(), name: z.string(), source: z.string().optional() });
