/** What only a check does with a bucket: what copies go without where they may not, and what is good to know. */
export interface StoreProbe {
  /**
   * Uploads an object in parts: one that is completed, and one that is given up. Lists what else was begun, and gives up what is left.
   * @param left what earlier checks left: keys that begin so and are probes, begun before that time
   * @throws StoreAccessDenied with the first permission that is missing
   */
  uploadInParts(key: string, left: LeftUploads): Promise<void>;
  /** What the store tells of the bucket, and with a key of how that object is encrypted. */
  facts(key?: string): Promise<BucketFacts>;
}

export interface LeftUploads {
  readonly prefix: string;
  readonly isProbe: (key: string) => boolean;
  readonly before: Date;
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
