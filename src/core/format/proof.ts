import * as z from "zod";
import { jsonOrUndefined } from "../execution/work-json.ts";

/**
 * What was found out about a backup after it was committed, kept beside its manifest: other readers skip it, and it is no part of the
 * backup (nothing checks it against the manifest). The last outcome and the last good one, so that a failure hides neither. A failure of a
 * verification that read contents stays the last one until they are read again: keys and sizes, or a sample of others, say nothing of it.
 */
const when = z.iso.datetime({ offset: true });

/** One look at the objects of a backup. */
const verification = z.object({
  at: when,
  outcome: z.enum(["passed", "failed"]),
  /** How much was compared: keys and sizes, a sample of the contents, every content, or every content and every row. */
  depth: z.enum(["size", "sample", "content", "rows"]),
  /** Of the bytes whose content was read, of 100. */
  percent: z.number().min(0).max(100),
  /** Rows that were read and counted, by whatever else was looked at; absent where none were, and in records of earlier versions. */
  rows: z
    .object({
      /** Of all rows of the backup, of 100. */
      percent: z.number().min(0).max(100),
      rows: z.number().int().nonnegative(),
      /** Of these the ones that live at the instant. */
      living: z.number().int().nonnegative(),
    })
    .optional(),
  objects: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
  /** How many were missing, extra, truncated or altered, or had rows that cannot be right. */
  problems: z.number().int().nonnegative(),
  executionArn: z.string(),
});
export type Verification = z.infer<typeof verification>;

/** What of the rows was looked at, behind the depth of a verification: `, every row`, `, 10 % of the rows`; "" where none were read. */
export function tellRows({
  depth,
  rows,
}: Pick<Verification, "depth"> & { readonly rows?: { percent: number } | undefined }): string {
  if (rows === undefined || depth === "rows") return "";
  return rows.percent === 100 ? ", every row" : `, ${rows.percent} % of the rows`;
}

/** One restore of a backup that was made to prove that it can be made. */
const drill = z.object({
  at: when,
  outcome: z.enum(["passed", "failed"]),
  /** The environment that it was restored into. */
  environment: z.string(),
  /** Recovery time: seconds from the start to a collection that answers searches; absent where it never did. */
  rtoSeconds: z.number().nonnegative().optional(),
  /** Recovery point: seconds between the backup's earliest T and the drill's start; absent where the backup has no T. */
  rpoSeconds: z.number().nonnegative().optional(),
  /** Rows of the backup that Milvus was asked for and that were compared; absent of one that failed, and in records of earlier versions. */
  compared: z.number().int().nonnegative().optional(),
  /** Why it failed, for people. */
  reason: z.string().optional(),
  executionArn: z.string(),
});
export type Drill = z.infer<typeof drill>;

const proofOf = <T extends z.ZodType>(outcome: T) =>
  z.object({ version: z.literal(1), last: outcome, lastPassed: outcome.optional() });

export const verificationProof = proofOf(verification);
export type VerificationProof = z.infer<typeof verificationProof>;

/** As reports have it: a count of what is listed elsewhere is a `...Count` there. `problems`: deprecated, `problemCount` is the same. */
export const reportedVerification = proofOf(verification.extend({ problemCount: z.number().int().nonnegative() }));

export type ReportedVerification = z.infer<typeof reportedVerification>;

export function reportedVerificationOf({ version, last, lastPassed }: VerificationProof): ReportedVerification {
  const counted = (one: Verification) => ({ ...one, problemCount: one.problems });
  return { version, last: counted(last), ...(lastPassed && { lastPassed: counted(lastPassed) }) };
}

/** Whether a good drill could compare no row: the collections are empty, have no index, or cannot be read. */
export function comparedNothing({ outcome, compared }: Pick<Drill, "outcome" | "compared">): boolean {
  return outcome === "passed" && compared === 0;
}

export const drillProof = proofOf(drill);
export type DrillProof = z.infer<typeof drillProof>;

/** undefined where the text is no record of a version that this pipeline knows. */
export function parseVerificationProof(text: string): VerificationProof | undefined {
  return verificationProof.safeParse(jsonOrUndefined(text)).data;
}

/** undefined where the text is no record of a version that this pipeline knows. */
export function parseDrillProof(text: string): DrillProof | undefined {
  return drillProof.safeParse(jsonOrUndefined(text)).data;
}
