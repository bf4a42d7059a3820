import { generateKeyPairSync, sign, verify } from "node:crypto";
import { PipelineError } from "../../src/core/execution/errors.ts";
import type { SigningKeys } from "../../src/ports/signing.ts";

/** Keys of NIST's P-256 by their ARNs, which sign as KMS does: over what the digest is taken for. */
export class MemorySigningKeys implements SigningKeys {
  readonly #pairs = new Map<string, ReturnType<typeof newPair>>();
  readonly calls: string[] = [];

  add(keyArn: string): void {
    this.#pairs.set(keyArn, newPair());
  }

  async sign(keyArn: string, digest: Uint8Array) {
    this.calls.push("sign");
    const signature = sign("sha256", digest, this.#pair(keyArn).privateKey).toString("base64");
    return { algorithm: "ECDSA_SHA_256" as const, signature };
  }

  async verify(keyArn: string, digest: Uint8Array, { signature }: { readonly signature: string }): Promise<boolean> {
    this.calls.push("verify");
    return verify("sha256", digest, this.#pair(keyArn).publicKey, Buffer.from(signature, "base64"));
  }

  #pair(keyArn: string) {
    const pair = this.#pairs.get(keyArn);
    if (pair === undefined)
      throw new PipelineError("StoreFailed", `kms:Verify on KMS key ${keyArn} failed: NotFoundException`);
    return pair;
  }
}

function newPair() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}
