import type { Verification, VerificationProof } from "../../src/core/format/proof.ts";
import { formatCount } from "./format.ts";

/**
 * What the last verification of a backup said, in a few words: `2026-11-20 (content)`, or `DAMAGED 2026-11-21 (3 problems), good 2026-11-20 (content)`; undefined where there was none.
 */
export function tellVerified(proof: VerificationProof | undefined): string | undefined {
  if (proof === undefined) return undefined;
  const { last, lastPassed } = proof;
  if (last.outcome === "passed") return tellPassed(last);
  const damaged = `DAMAGED ${dayOf(last)} (${formatCount(last.problems)} problem${last.problems === 1 ? "" : "s"})`;
  return lastPassed ? `${damaged}, good ${tellPassed(lastPassed)}` : damaged;
}

function tellPassed(verification: Verification): string {
  const { depth, percent } = verification;
  return `${dayOf(verification)} (${depth === "sample" ? `${percent} %` : depth})`;
}

/** UTC. */
function dayOf({ at }: Verification): string {
  return new Date(at).toISOString().slice(0, 10);
}
