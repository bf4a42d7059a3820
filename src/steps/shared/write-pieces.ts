import type { ObjectStore, PutTextOptions, TextDigest } from "../../ports/object-store.ts";

interface PiecesOptions extends Pick<PutTextOptions, "contentType" | "ifAbsent"> {
  /** Asked at the last moment: what it throws leaves nothing. */
  readonly confirm?: () => Promise<void>;
}

/**
 * Writes an object piece by piece, which appears whole or not at all.
 * @returns what was written; undefined where it was to be absent and is not
 * @throws what the pieces, `confirm` and the store throw
 */
export async function writePieces(
  store: ObjectStore,
  key: string,
  pieces: Iterable<string | Uint8Array>,
  { confirm, ifAbsent = false, ...options }: PiecesOptions = {},
): Promise<TextDigest | undefined> {
  const upload = store.openText(key, options);
  try {
    for (const piece of pieces) await upload.write(piece);
    await confirm?.();
    return (await upload.finish({ ifAbsent })) ? upload.written : undefined;
  } catch (error) {
    await upload.abort();
    throw error;
  }
}
