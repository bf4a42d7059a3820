/** What only a check does with a bucket: what copies go without where they may not, and what is good to know. */
export interface StoreProbe {
  /**
   * Uploads an object in parts: one that is completed, and one that is listed and given up. Uploads of the same key are given up as well.
   * @throws StoreAccessDenied with the first permission that is missing
   */
  uploadInParts(key: string): Promise<void>;
  /** What the store tells of the bucket, and with a key of how that object is encrypted. */
  facts(key?: string): Promise<BucketFacts>;
}

export interface BucketFacts {
  /** Where the bucket lies; absent where the store does not say. */
  readonly region?: string;
  /** Whether deletions leave versions; absent where that may not be asked (`s3:GetBucketVersioning`). */
  readonly versions?: "none" | "kept" | "suspended";
  /** Whether a rule ends versions that are not current; absent where that may not be asked (`s3:GetLifecycleConfiguration`). */
  readonly versionsEnd?: boolean;
  /** The KMS key that the object is encrypted with; absent for another encryption. */
  readonly kmsKey?: string;
}
