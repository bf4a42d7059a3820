/** One upsert of a load: the same version for all its keys. Times are this machine's clock, in milliseconds since 1970. */
export interface Write {
  /** Of each of its keys, and higher than that of any write before. */
  readonly version: number;
  /** Primary keys, as decimal text. */
  readonly keys: readonly string[];
  /** Just before the request. */
  readonly sent: number;
  /** Just after the answer; a write without one was refused or is of unknown end, and may be in the collection or not. */
  readonly acknowledged?: number;
}

/** What a load wrote, in the order in which it was sent, and what it did besides. */
export interface LoadLog {
  readonly writes: readonly Write[];
  /** Those that Milvus took. */
  readonly flushes: number;
  /** Those that Milvus took. */
  readonly compactions: number;
  /** Requests of any kind that Milvus refused. */
  readonly refused: number;
}
