import * as z from "zod";
import { countOf, wasOrWere } from "../execution/count-of.ts";
import { PipelineError } from "../execution/errors.ts";
import type { RestoreInput } from "../execution/messages.ts";

/** How far a restore compares what it reads with what was backed up, before anything is made in Milvus. */
export const verification = z.object({
  /** Key and size by the metas, and the content as well by the manifest. */
  compares: z.enum(["nothing", "sizes", "contents"]),
  /** Of contents: true where an object is read when nothing else tells. */
  reads: z.boolean(),
  /** Why sizes are all that is compared, where nobody asked for that. */
  noContents: z.string().optional(),
});
export type Verification = Readonly<z.infer<typeof verification>>;

/** Of this very backup, of another one that lay there before, or none (milvus-backup writes none). */
type ManifestFound = "own" | "other" | "none";

/**
 * @param asked absent: contents where they are known without reading an object for it, otherwise sizes
 * @throws InvalidInput where contents are to be compared and nothing says what they were
 */
export function planVerification(
  asked: RestoreInput["verify"],
  manifest: ManifestFound,
  backupName: string,
): Verification {
  if (asked === "none") return { compares: "nothing", reads: false };
  if (asked === "size") return { compares: "sizes", reads: false };
  if (manifest === "own") return { compares: "contents", reads: asked === "content" };
  const noContents =
    manifest === "none"
      ? "the backup has no manifest (milvus-backup writes none)"
      : "the manifest that lies there is of another backup";
  if (asked === undefined) return { compares: "sizes", reads: false, noContents };
  throw new PipelineError(
    "InvalidInput",
    `verify: content cannot be compared for backup ${backupName}: ${noContents}, so nothing says what its objects contained. ` +
      "For this backup verify takes size or none; without it sizes are compared",
    { details: { key: "verify" } },
  );
}

/**
 * What a result says of objects whose content was not compared.
 * @param compared how many objects there were, and of how many of them only the sizes could be compared
 */
export function uncompared(
  { compares, noContents }: Verification,
  compared: { readonly objects: number; readonly bySize: number },
): string[] {
  const { objects, bySize } = compared;
  if (compares === "nothing") {
    return [
      "verify is none: nothing was compared with what was backed up; what was altered since is restored as it is",
    ];
  }
  if (noContents !== undefined && objects > 0) {
    return [
      `${countOf(objects, "object", wasOrWere)} compared by key and size only: ${noContents}, so nothing says what was in them`,
    ];
  }
  if (compares !== "contents" || bySize === 0) return [];
  return [
    `${bySize} of ${countOf(objects, "object", wasOrWere)} compared by key and size only: the store keeps no checksum of them that compares with the ` +
      "manifest's. verify content (--verify content) reads them and compares that",
  ];
}
