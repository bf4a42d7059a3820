import { tellRows, type Verification, type VerificationProof } from "../../src/core/format/proof.ts";
import type { DocumentOf } from "../documents/index.ts";
import { formatCount } from "./format.ts";

type VerifiedDocument = NonNullable<DocumentOf<"backups">["backups"][number]["verified"]>;

/** The record of a backup's verifications as documents have it. */
export function verifiedDocument({ last, lastPassed }: VerificationProof): VerifiedDocument {
  return { last: describe(last), ...(lastPassed && { lastPassed: describe(lastPassed) }) };
}

function describe({ problems, ...verification }: Verification): VerifiedDocument["last"] {
  return { ...verification, problemCount: problems };
}

/**
 * What the last verification of a backup said, in a few words: `2026-11-20 (content, every row)`, or `DAMAGED 2026-11-21 (3 problems), good 2026-11-20 (content)`; undefined where there was none.
 */
export function tellVerified(proof: VerifiedDocument | undefined): string | undefined {
  if (proof === undefined) return undefined;
  const { last, lastPassed } = proof;
  if (last.outcome === "passed") return tellPassed(last);
  const damaged = `DAMAGED ${dayOf(last)} (${formatCount(last.problemCount)} problem${last.problemCount === 1 ? "" : "s"})`;
  return lastPassed ? `${damaged}, good ${tellPassed(lastPassed)}` : damaged;
}

function tellPassed(verification: VerifiedDocument["last"]): string {
  const { depth, percent } = verification;
  return `${dayOf(verification)} (${depth === "sample" ? `${percent} %` : depth}${tellRows(verification)})`;
}

/** UTC. */
function dayOf({ at }: VerifiedDocument["last"]): string {
  return new Date(at).toISOString().slice(0, 10);
}
