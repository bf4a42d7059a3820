import { createHash } from "node:crypto";

/** Takes the bytes of an object one piece after another. */
export interface ContentHash {
  update(bytes: Uint8Array): void;
  /** As a store reports it: hex for `md5`, base64 for the others. */
  digest(): string;
}

/** The hash behind an `<algorithm>:<value>`: every kind that manifests hold; undefined for one that nobody knows. */
export function contentHash(algorithm: "md5"): ContentHash;
export function contentHash(algorithm: string): ContentHash | undefined;
export function contentHash(algorithm: string): ContentHash | undefined {
  switch (algorithm) {
    case "md5":
    case "sha1":
    case "sha256": {
      const hash = createHash(algorithm);
      return {
        update: (bytes) => void hash.update(bytes),
        digest: () => hash.digest(algorithm === "md5" ? "hex" : "base64"),
      };
    }
    // polynomials as the catalogue of parametrised CRC algorithms has them, with their bits in reverse order
    case "crc32":
      return new ReflectedCrc([0, 0xedb88320], 1);
    case "crc32c":
      return new ReflectedCrc([0, 0x82f63b78], 1);
    case "crc64nvme":
      return new ReflectedCrc([0x9a6c9329, 0xac4bc9b5], 2);
    default:
      return undefined;
  }
}

/** `<algorithm>:<value>` of a content that is in memory; undefined where nobody knows the algorithm. */
export function checksumOf(bytes: Uint8Array, algorithm: "md5"): string;
export function checksumOf(bytes: Uint8Array, algorithm: string): string | undefined;
export function checksumOf(bytes: Uint8Array, algorithm: string): string | undefined {
  const hash = contentHash(algorithm);
  hash?.update(bytes);
  return hash && `${algorithm}:${hash.digest()}`;
}

/** A CRC that begins with all ones and ends with all of them turned, in two words: JavaScript's integers have 32 bits. */
class ReflectedCrc implements ContentHash {
  readonly #highs = new Uint32Array(256);
  readonly #lows = new Uint32Array(256);
  readonly #words: 1 | 2;
  #high: number;
  #low = 0xffffffff;

  constructor([polynomialHigh, polynomialLow]: readonly [number, number], words: 1 | 2) {
    this.#words = words;
    this.#high = words === 2 ? 0xffffffff : 0;
    for (let byte = 0; byte < 256; byte += 1) {
      let [high, low] = [0, byte];
      for (let bit = 0; bit < 8; bit += 1) {
        const isOdd = low & 1;
        low = (low >>> 1) | ((high & 1) << 31);
        high >>>= 1;
        if (isOdd) [high, low] = [high ^ polynomialHigh, low ^ polynomialLow];
      }
      this.#highs[byte] = high;
      this.#lows[byte] = low;
    }
  }

  update(bytes: Uint8Array): void {
    const [highs, lows] = [this.#highs, this.#lows];
    let [high, low] = [this.#high, this.#low];
    for (let at = 0; at < bytes.length; at += 1) {
      const entry = (low ^ (bytes[at] ?? 0)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (lows[entry] ?? 0);
      high = (high >>> 8) ^ (highs[entry] ?? 0);
    }
    this.#high = high;
    this.#low = low;
  }

  digest(): string {
    return base64(this.#words === 2 ? [~this.#high, ~this.#low] : [~this.#low]);
  }
}

/** 32-bit words, the highest first. */
function base64(words: readonly number[]): string {
  const bytes = Buffer.alloc(words.length * 4);
  for (const [place, word] of words.entries()) bytes.writeUInt32BE(word >>> 0, place * 4);
  return bytes.toString("base64");
}
