import * as z from "zod";
import { type CopyReceipt, logsOf } from "./copy-plan.ts";

/** A collection of a plan, and the attempt that planned it; both absent where a plan has one attempt. */
export const plannedAttempt = z.object({
  id: z.string().optional().catch(undefined),
  attempt: z.number().optional().catch(undefined),
});

/** What of a plan tells which copies it counts on. */
export const plannedAttempts = z.object({
  attempt: z.number().default(0),
  collections: z.array(plannedAttempt).optional(),
});

/** What one receipt says of one collection. */
export interface CopiedShare {
  readonly attempt: number;
  readonly collectionId: string;
  /** Those that were copied. */
  readonly segments: number;
  readonly objects: number;
  readonly bytes: number;
}

/** A receipt by its collections. @param attempt that planned the batch */
export function sharesOf(receipt: CopyReceipt, attempt: number): CopiedShare[] {
  const collections = [...Map.groupBy(receipt.segments, ({ collectionId }) => collectionId)];
  return collections.map(([collectionId, segments]) => {
    const logs = segments.flatMap(logsOf);
    const isAll = collections.length === 1;
    return {
      ...{ attempt, collectionId },
      segments: segments.filter(({ outcome }) => outcome === "copied").length,
      objects: isAll ? receipt.objects : logs.length,
      bytes: isAll ? receipt.bytes : logs.reduce((sum, { size }) => sum + size, 0),
    };
  });
}

/**
 * Whether the plan counts on a copy: a later attempt plans the collections anew that changed meanwhile, and of the others what an earlier one
 * copied stays.
 */
export function countsOn({ attempt, collections = [] }: z.infer<typeof plannedAttempts>) {
  const attempts = new Map(collections.map((collection) => [collection.id, collection.attempt]));
  return (share: Pick<CopiedShare, "attempt" | "collectionId">): boolean =>
    share.attempt === (attempts.get(share.collectionId) ?? attempt);
}
