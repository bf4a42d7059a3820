import { byteBudget } from "./byte-budget.ts";

/** A piece of an object. */
export interface Part {
  /** From 1. */
  readonly number: number;
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** Objects up to this size are read whole and written in one request: their ETag is their MD5. */
export const streamedWholeSize = 16 * 2 ** 20;
/** Bytes of a part of what is larger. */
export const streamedPartSize = 8 * 2 ** 20;
/** What all streamed copies and reads of a process hold in memory together: four parts on their way keep a Lambda's network busy. */
export const streamMemory = byteBudget(32 * 2 ** 20);

const mebibyte = 2 ** 20;

/**
 * Cuts an object into parts of the wished size, or of a larger one where there would be more than a store allows.
 * @param maximumParts S3 takes 10,000 in one upload, Azure 50,000 blocks
 */
export function splitIntoParts(size: number, wishedPartSize: number, maximumParts = 10_000): Part[] {
  const smallest = Math.ceil(size / maximumParts / mebibyte) * mebibyte;
  const partSize = Math.max(wishedPartSize, smallest);
  return Array.from({ length: Math.ceil(size / partSize) }, (_, index) => ({
    number: index + 1,
    offset: index * partSize,
    size: Math.min(partSize, size - index * partSize),
  }));
}
