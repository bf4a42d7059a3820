import { PipelineError } from "../execution/errors.ts";

/**
 * A 64-bit count of rows or bytes as a number that loses no digit.
 * @param value decimal text, or as the metas have it
 * @param what names it in the error: `the bytes of backup nightly`
 * @throws CorruptBackup from 2^53 on, which nothing real reaches, and below zero
 */
export function exactCount(value: bigint | string, what: string): number {
  const exact = BigInt(value);
  if (exact >= 0n && exact <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(exact);
  throw new PipelineError("CorruptBackup", `${what} are said to be ${exact}: no backup has that many`);
}
