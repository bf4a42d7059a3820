import type { Signature } from "../core/format/signature.ts";

/** Keys that sign, and never leave where they are. Every fault is a PipelineError that names the key. */
export interface SigningKeys {
  /** @param digest SHA-256 */
  sign(keyArn: string, digest: Uint8Array): Promise<Signature>;
  /** Whether this key made that signature. */
  verify(keyArn: string, digest: Uint8Array, signature: Signature): Promise<boolean>;
}
