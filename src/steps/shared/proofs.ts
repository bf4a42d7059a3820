import { PipelineError } from "../../core/execution/errors.ts";
import {
  type DrillProof,
  parseDrillProof,
  parseVerificationProof,
  type VerificationProof,
} from "../../core/format/proof.ts";
import type { ObjectStore } from "../../ports/object-store.ts";
import { attempts } from "./claim.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** The shape of every record beside a backup (core/format/proof.ts). */
interface Proof<T> {
  readonly version: 1;
  readonly last: T;
  readonly lastPassed?: T | undefined;
}

/** One outcome, whatever was looked at. */
interface Outcome {
  /** ISO 8601. */
  readonly at: string;
  readonly outcome: "passed" | "failed";
}

interface ProofRules<T> {
  readonly parse: (text: string) => Proof<T> | undefined;
  readonly covers?: (outcome: T, failure: T) => boolean;
}

/** What the last verification of a backup said; undefined where there was none, or none that this version can read. */
export async function readVerification({ store, layout }: StoredBackup): Promise<VerificationProof | undefined> {
  const text = await store.getTextIfPresent(layout.verified);
  return text === undefined ? undefined : parseVerificationProof(text);
}

/** What the last drill of a backup said; undefined as for verifications. */
export async function readDrill({ store, layout }: StoredBackup): Promise<DrillProof | undefined> {
  const text = await store.getTextIfPresent(layout.drilled);
  return text === undefined ? undefined : parseDrillProof(text);
}

/**
 * Keeps an outcome in the record beside a backup: two that end at once lose neither's, and of two the later one stands, in whatever order
 * they come; of two the earlier one where it failed, and the later one did not look at what it did.
 * @param options.parse reads what lies there; what cannot be read is replaced
 * @param options.covers whether an outcome tells as much as an earlier failure: absent where each does
 * @returns the one that stands
 * @throws StoreBusy where others write there again and again
 */
export async function recordOutcome<T extends Outcome>(
  store: ObjectStore,
  key: string,
  outcome: T,
  { parse, covers }: ProofRules<T>,
): Promise<T> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const seen = await store.head(key);
    const text = seen && (await store.getTextIfPresent(key));
    const before = text === undefined ? undefined : parse(text);
    const last = standing(before?.last, outcome, covers);
    const lastPassed = outcome.outcome === "passed" ? later(before?.lastPassed, outcome) : before?.lastPassed;
    const proof: Proof<T> = { version: 1, last, ...(lastPassed && { lastPassed }) };
    const condition = seen ? { ifMatch: seen.etag } : { ifAbsent: true };
    const body = `${JSON.stringify(proof, null, 2)}\n`;
    if (await store.putText(key, body, { ...condition, contentType: "application/json" })) return last;
  }
  throw new PipelineError(
    "StoreBusy",
    `${key} in ${store.label} changes again and again: several record outcomes there`,
    {
      details: { key },
    },
  );
}

function standing<T extends Outcome>(before: T | undefined, outcome: T, covers: ProofRules<T>["covers"]): T {
  const last = later(before, outcome);
  const earlier = last === outcome ? before : outcome;
  return earlier?.outcome === "failed" && covers?.(last, earlier) === false ? earlier : last;
}

function later<T extends Outcome>(one: T | undefined, other: T): T {
  return one !== undefined && Date.parse(one.at) > Date.parse(other.at) ? one : other;
}
