/** What S3 takes for objects of an ordinary bucket. */
export const storageClasses = [
  "STANDARD",
  "REDUCED_REDUNDANCY",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
  "GLACIER",
  "DEEP_ARCHIVE",
] as const;
export type StorageClass = (typeof storageClasses)[number];

/** Of these an object has to be restored before it can be read. GLACIER_IR is read at once. */
const archiveClasses: ReadonlySet<string | undefined> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

/** Whether objects of a class, as a store tells it, are read only after they were restored. */
export function isArchiveClass(storageClass: string | undefined): boolean {
  return archiveClasses.has(storageClass);
}
