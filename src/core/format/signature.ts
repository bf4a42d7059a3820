import { createHash } from "node:crypto";
import * as z from "zod";
import { jsonOrUndefined } from "../execution/work-json.ts";

/**
 * What is signed of a backup: its manifest, which has the checksums of everything else, and the one place and name that it has. A copy of
 * it elsewhere, or under another name, is not what was signed.
 */
const signedStatement = z.object({
  bucket: z.string(),
  /** Of the backups in it, without slashes at its ends. */
  rootPath: z.string(),
  backupName: z.string(),
  backupId: z.string(),
  /** SHA-256 of the manifest's index, hex. */
  manifest: z.string(),
});
export type SignedStatement = Readonly<z.infer<typeof signedStatement>>;

/** Of KMS, for keys of NIST's P-256 and of RSA; both are over a SHA-256. */
export const signatureAlgorithms = ["ECDSA_SHA_256", "RSASSA_PSS_SHA_256"] as const;
type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

/** A signature as KMS gives it. */
export interface Signature {
  readonly algorithm: SignatureAlgorithm;
  /** Base64. */
  readonly signature: string;
}

/** The object beside the manifest (`signature` in layout.ts). Nothing in it is believed but by the key that the reader names. */
const backupSignature = z.object({
  version: z.literal(1),
  /** For people: why it is not that of another backup shows in what differs. */
  statement: signedStatement,
  /** For people: with which key it was made. */
  keyArn: z.string(),
  algorithm: z.enum(signatureAlgorithms),
  signature: z.base64().min(1),
});
export type BackupSignature = Readonly<z.infer<typeof backupSignature>>;

/** SHA-256 of what is signed: says what it is, so that a signature of anything else that the key made is none of a backup. */
export function digestOfStatement({ bucket, rootPath, backupName, backupId, manifest }: SignedStatement): Uint8Array {
  const text = JSON.stringify(["milvus-backup signature 1", bucket, rootPath, backupName, backupId, manifest]);
  return createHash("sha256").update(text).digest();
}

export function printSignature(signature: Omit<BackupSignature, "version">): string {
  return `${JSON.stringify({ version: 1, ...signature }, null, 2)}\n`;
}

/** undefined for a text that is no signature. */
export function parseSignature(text: string): BackupSignature | undefined {
  return backupSignature.safeParse(jsonOrUndefined(text)).data;
}

/** In which of its parts a statement is about something else than expected. */
export function differingParts(stated: SignedStatement, expected: SignedStatement): string[] {
  return (Object.keys(signedStatement.shape) as (keyof SignedStatement)[])
    .filter((part) => stated[part] !== expected[part])
    .map((part) => `${part} ${JSON.stringify(stated[part])} instead of ${JSON.stringify(expected[part])}`);
}
