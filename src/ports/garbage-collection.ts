import type { GarbageCollectionPause } from "../core/milvus/descriptions.ts";

/** The garbage collection of one Milvus, reached through its management port: no Milvus client is needed for it. */
export interface GarbageCollection {
  /**
   * Pauses it for so many seconds from now on; of two pauses the one that ends later counts.
   * @returns undefined where the server has no such call
   * @throws MilvusUnreachable, MilvusFailed
   */
  pause(seconds: number): Promise<GarbageCollectionPause | undefined>;
  /** Ends a pause; one that has run out, or was ended before, is none. @throws MilvusUnreachable, MilvusFailed */
  resume(pause: GarbageCollectionPause): Promise<void>;
}
