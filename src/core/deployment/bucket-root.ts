import * as z from "zod";

/** A part of a bucket that the functions' own roles may use: what lies below a root path. */
export interface BucketRoot {
  readonly bucket: string;
  /** Without slashes at its ends; "" for the whole bucket. */
  readonly rootPath: string;
}

const namePattern = "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]";
/** Names of buckets as S3 takes them. */
export const bucketName = z.string().regex(new RegExp(`^${namePattern}$`), { error: "is no name of a bucket" });
/** Kept free of what a policy would take for a pattern or a variable. */
const rootPath = z
  .string()
  .regex(/^[^*?$]*$/)
  .transform(trimSlashes);

/** `bucket/root/path`, or both by name; a bucket alone would leave open what of it is meant. */
export const bucketRoot = z.union(
  [
    z
      .string()
      .regex(new RegExp(`^${namePattern}/+[^/*?$][^*?$]*$`))
      .transform((text): BucketRoot => {
        const [bucket = "", ...path] = text.split("/");
        return { bucket, rootPath: trimSlashes(path.join("/")) };
      }),
    z.strictObject({ bucket: bucketName, rootPath }).transform((root): BucketRoot => root),
  ],
  { error: "use bucket/root/path, or {bucket: prod-milvus, rootPath: files}; rootPath: '' is the whole bucket" },
);

/**
 * Why lists do not go together; undefined where they do. What is Milvus's is only read, so no backups may lie where Milvus's own data
 * lies, or above it; and exports lie beside both.
 */
export function problemOfRoots(
  milvusBuckets: readonly BucketRoot[],
  backupBuckets: readonly BucketRoot[],
  exportBuckets: readonly BucketRoot[] = [],
): string | undefined {
  for (const backups of backupBuckets) {
    const milvus = milvusBuckets.find((root) => liesAmongMilvus(backups, root));
    if (milvus === undefined) continue;
    return (
      `backupBuckets: ${writtenRoot(backups)} lies where Milvus's own data does (milvusBuckets: ${writtenRoot(milvus)}), which the functions only read: ` +
      "give the backups a root path of their own (backupRootPath in backup.yaml)"
    );
  }
  for (const exports of exportBuckets) {
    const other = [...milvusBuckets, ...backupBuckets].find((root) => holds(exports, root) || holds(root, exports));
    if (other === undefined) continue;
    return (
      `exportBuckets: ${writtenRoot(exports)} and ${writtenRoot(other)}, where Milvus's data or backups lie, are within each other: ` +
      "give exports a folder or a bucket of their own"
    );
  }
  return undefined;
}

/** Where Milvus keeps its data below its root path. */
const milvusDirectories = ["insert_log", "delta_log", "stats_log", "index_files"];

/** Whether who may write and remove backups may do so to what is Milvus's. */
export function liesAmongMilvus(backups: BucketRoot, milvus: BucketRoot): boolean {
  return holds(backups, milvus) || isAmongData(milvus, backups);
}

function isAmongData(milvus: BucketRoot, backups: BucketRoot): boolean {
  return milvusDirectories.some((name) =>
    holds({ ...milvus, rootPath: trimSlashes(`${milvus.rootPath}/${name}`) }, backups),
  );
}

/** What to write in the place of the key that was there before: `dataBuckets`. */
export const insteadOfDataBuckets =
  "is told by its parts now: milvusBuckets, with Milvus's root path ([{bucket: prod-milvus, rootPath: files}]), which are only read but for " +
  "milvus-backup-staging/, and backupBuckets, with that of the backups ([{bucket: prod-backups, rootPath: backup}]), which are also written";

function holds(outer: BucketRoot, inner: BucketRoot): boolean {
  if (outer.bucket !== inner.bucket) return false;
  return outer.rootPath === "" || `${inner.rootPath}/`.startsWith(`${outer.rootPath}/`);
}

function writtenRoot({ bucket, rootPath: path }: BucketRoot): string {
  return `${bucket}/${path}`;
}

function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
