import { createHash } from "node:crypto";
import type { PutTextOptions } from "../../ports/object-store.ts";
import { matching } from "./blobs.ts";
import { StagedBlocks } from "./blocks.ts";
import type { AzureContainer } from "./container.ts";
import { lostRace } from "./errors.ts";

export const defaultContentType = "application/octet-stream";

/** Writes a blob in one request; answers false where the condition does not hold. */
export async function putBlob(
  container: AzureContainer,
  key: string,
  body: Uint8Array,
  { contentType = defaultContentType, ifAbsent = false, ifMatch }: PutTextOptions,
): Promise<boolean> {
  const blob = container.client.getBlockBlobClient(key);
  const blobContentMD5 = createHash("md5").update(body).digest();
  return container.request("Write", key, async () => {
    try {
      await blob.upload(body, body.length, {
        blobHTTPHeaders: { blobContentType: contentType, blobContentMD5 },
        conditions: { ...(ifAbsent && { ifNoneMatch: "*" }), ...(ifMatch !== undefined && matching(ifMatch)) },
      });
      return true;
    } catch (error) {
      if (!(ifAbsent || ifMatch !== undefined) || !lostRace(error)) throw error;
      // azurite takes blocks that were staged and never committed for a blob: a commit of other ones tells
      if (ifAbsent && !(await blob.exists())) return commitIfAbsent(container, key, body, contentType);
      return false;
    }
  });
}

async function commitIfAbsent(
  container: AzureContainer,
  key: string,
  body: Uint8Array,
  blobContentType: string,
): Promise<boolean> {
  const blocks = new StagedBlocks(container, key);
  await blocks.stage(0, body);
  return blocks.commitIfAbsent({ blobContentType, blobContentMD5: createHash("md5").update(body).digest() });
}
