import { createHash } from "node:crypto";
import type { StorageSettings } from "../../core/environment/environment.ts";
import { kindOfChecksum } from "../../core/execution/checksum.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { type ManifestIndex, parseManifestIndex } from "../../core/format/manifest.ts";
import {
  differingParts,
  digestOfStatement,
  parseSignature,
  printSignature,
  type SignedStatement,
} from "../../core/format/signature.ts";
import type { SizedSegment } from "../../core/plan/segment-copies.ts";
import type { SigningKeys } from "../../ports/signing.ts";
import type { StoredBackup } from "./stored-backup.ts";

/** Where a backup lies, as its environment has it. */
interface SignedPlace {
  readonly bucket: string;
  readonly rootPath: string;
}

/** What Finalize signs backups with. */
export interface BackupSigner {
  readonly keyArn: string;
  readonly keys: Pick<SigningKeys, "sign">;
}

/**
 * Signs a backup whose manifest is written, and puts the signature beside it; before the commit, so that no backup is there unsigned.
 * @param manifest SHA-256 of the manifest's index, hex
 * @throws what the key and the store throw
 */
export async function signBackup(
  stored: StoredBackup,
  place: SignedPlace,
  { backupId, manifest }: { readonly backupId: string; readonly manifest: string },
  { keyArn, keys }: BackupSigner,
): Promise<void> {
  const statement = statementOf(stored, place, backupId, manifest);
  const made = await keys.sign(keyArn, digestOfStatement(statement));
  await stored.store.putText(stored.layout.signature, printSignature({ statement, keyArn, ...made }), {
    contentType: "application/json",
    lock: stored.lock,
  });
}

/**
 * Reads the index of a backup's manifest, and believes it only as far as the named key signed it, for this name in this place: the first
 * thing that is read of such a backup, and the only index that is used of it.
 * @throws UntrustedBackup, and what the key and the store throw
 */
export async function readSignedManifest(
  stored: StoredBackup,
  place: SignedPlace,
  keyArn: string,
  keys: Pick<SigningKeys, "verify">,
): Promise<ManifestIndex> {
  const { store, layout } = stored;
  const text = await store.getTextIfPresent(layout.manifest);
  if (text === undefined)
    throw untrusted(stored, keyArn, "it has no manifest, so there is nothing that could be signed");
  const printed = await store.getTextIfPresent(layout.signature);
  if (printed === undefined) {
    throw untrusted(stored, keyArn, `it has no signature (${layout.signature}); its deployment signs with signBackups`);
  }
  const signature = parseSignature(printed);
  if (signature === undefined) throw untrusted(stored, keyArn, `${layout.signature} is no signature of version 1`);
  const index = parseManifestIndex(text, layout.manifest);
  const manifest = createHash("sha256").update(text).digest("hex");
  const expected = statementOf(stored, place, index.backupId, manifest);
  if (!(await keys.verify(keyArn, digestOfStatement(expected), signature))) {
    const parts = differingParts(signature.statement, expected);
    const why =
      parts.length > 0
        ? `its signature is about ${parts.join(", ")}`
        : signature.keyArn === keyArn
          ? "its signature is not one that this key made"
          : `its signature was made with ${signature.keyArn}`;
    throw untrusted(stored, keyArn, why);
  }
  if (index.backupName !== stored.name) {
    throw untrusted(stored, keyArn, `its manifest is of backup ${index.backupName}`);
  }
  return index;
}

/**
 * Within Azure nothing is held against a signature: a copy, and what is read in place, is compared by the MD5 that the service keeps of a blob, and that
 * is what whoever writes the blob says (Set Blob Properties, Put Block List). What is copied out of it is hashed on its way.
 * @throws UntrustedBackup
 */
export function checkTellsContent(
  { name, place }: StoredBackup,
  from: Pick<StorageSettings, "type">,
  to: Pick<StorageSettings, "type">,
): void {
  if (from.type !== "azure" || to.type !== "azure") return;
  throw new PipelineError(
    "UntrustedBackup",
    `backup ${name} in ${place} cannot be held against a signature: Azure keeps as the MD5 of a blob what whoever writes it says. Nothing of it was ` +
      "restored. Restore it from a store that speaks S3 or from Google's",
    { details: { backupName: name, key: "signedBy" } },
  );
}

/** Checksums that nobody makes another object for. */
const withstanding: ReadonlySet<string> = new Set(["md5", "sha1", "sha256"]);

/** Whether a checksum tells an object from one that was made to look like it. */
export function withstandsAttack(checksum: string | undefined): boolean {
  return checksum !== undefined && withstanding.has(kindOfChecksum(checksum));
}

/**
 * Lets through only logs whose content a signed manifest pins: the others could be altered so that nothing shows.
 * @throws UntrustedBackup naming the first that is not
 */
export async function* onlyPinned(
  stored: StoredBackup,
  keyArn: string,
  copies: AsyncIterable<SizedSegment>,
): AsyncGenerator<SizedSegment> {
  for await (const copy of copies) {
    for (const { from, expect = [] } of copy.segment.prefixes) {
      const loose = expect.find(({ checksum }) => !withstandsAttack(checksum));
      if (loose === undefined) continue;
      const has = loose.checksum === undefined ? "no checksum" : `only a ${kindOfChecksum(loose.checksum)}`;
      throw untrusted(
        stored,
        keyArn,
        `its manifest has ${has} of ${from}${loose.path}, which can be made for other content`,
      );
    }
    yield copy;
  }
}

function statementOf(
  { name }: StoredBackup,
  { bucket, rootPath }: SignedPlace,
  backupId: string,
  manifest: string,
): SignedStatement {
  return { bucket, rootPath, backupName: name, backupId, manifest };
}

function untrusted({ name, place }: StoredBackup, keyArn: string, why: string): PipelineError {
  return new PipelineError(
    "UntrustedBackup",
    `backup ${name} in ${place} is not signed with ${keyArn}: ${why}. Nothing of it was restored. Find out who wrote it`,
    { details: { backupName: name, key: "signedBy" } },
  );
}
