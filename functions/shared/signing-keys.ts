import type { SigningKeys } from "../../src/ports/signing.ts";

let loaded: Promise<SigningKeys> | undefined;

/** KMS's keys; its client is loaded when something is signed or has to be. */
export function signingKeys(): Promise<SigningKeys> {
  loaded ??= import("../../src/adapters/kms/index.ts").then(({ kmsKeys }) => kmsKeys());
  return loaded;
}
