import { createHash } from "node:crypto";
import { type BlobGetPropertiesResponse, BlobSASPermissions } from "@azure/storage-blob";
import { PipelineError } from "../../core/execution/errors.ts";
import { settleEach } from "../../core/execution/settle.ts";
import type { CopiedObject, ObjectSummary } from "../../ports/object-store.ts";
import { splitIntoParts } from "../streams/parts.ts";
import { copyMismatch, type StreamTarget } from "../streams/streamed-copy.ts";
import { knownMd5, matching, propertiesOf, sourceEtagMetadata, summaryOf, unquote } from "./blobs.ts";
import { maximumBlocks, StagedBlocks } from "./blocks.ts";
import type { AzureContainer } from "./container.ts";
import { azureCode, azureStatus } from "./errors.ts";

const parallelParts = 4;
/** Copy Blob From URL takes no more in one request (Azure Blob Storage REST, 2026). */
const copyFromUrlLimitBytes = 256 * 2 ** 20;
/** A copy of one part takes seconds; the clocks of two machines differ by minutes. */
const signatureMilliseconds = 60 * 60_000;

/**
 * A blob as the destination of a streamed copy: Put Blob, or blocks. The MD5 beside a blob is stored and not compared by the service, which answers with
 * what it computed; that of a block is compared. A request that is given up ends at once, as its memory is lent to others.
 */
export function streamTarget(container: AzureContainer, key: string, object: ObjectSummary): StreamTarget {
  const blob = container.client.getBlockBlobClient(key);
  const metadata = { [sourceEtagMetadata]: object.etag };
  return {
    label: container.labelOf(key),
    bucket: container.name,
    key,
    maximumParts: maximumBlocks,
    async put(body, md5) {
      const answer = await container.request("Write", key, (abortSignal) =>
        blob.upload(body, body.length, { abortSignal, metadata, blobHTTPHeaders: { blobContentMD5: md5 } }),
      );
      if (answer.contentMD5 !== undefined && !md5.equals(answer.contentMD5)) {
        throw copyMismatch(object, { label: container.labelOf(key), bucket: container.name, key }, "its MD5 differs");
      }
      return unquote(answer.etag);
    },
    async putParts(parts, write, finished) {
      const blocks = new StagedBlocks(container, key);
      await settleEach(parts, parallelParts, (part) =>
        write(part, (body, md5) => blocks.stage(part.number - 1, body, md5)),
      );
      const blobContentMD5 = await finished();
      return unquote(
        await container.request("Write", key, () => blocks.commit({ metadata, blobHTTPHeaders: { blobContentMD5 } })),
      );
    },
  };
}

/**
 * Copies a blob within one account: Copy Blob From URL, or Put Block From URL for large ones. No byte passes through here.
 * @param hashOf the MD5 of what arrived, where the service tells none
 * @throws CopyMismatch, ObjectNotFound where the source is not what was listed; undefined where the service does not know how
 */
export async function copyServerSide(
  source: AzureContainer,
  object: ObjectSummary,
  destination: AzureContainer,
  key: string,
  hashOf: (copy: ObjectSummary) => Promise<string | undefined>,
): Promise<CopiedObject | undefined> {
  const original = await seen(source, object);
  const url = await readableUrl(source, object.key);
  const blob = destination.client.getBlockBlobClient(key);
  const metadata = { [sourceEtagMetadata]: object.etag };
  const sourceConditions = matching(object.etag);
  const send = <T>(copy: () => Promise<T>) =>
    destination.request("Write", key, async () => {
      try {
        return await copy();
      } catch (error) {
        if (azureStatus(error) === 501 || azureCode(error) === "NotImplemented") return undefined;
        // of a copy it is the source that is missing or another one
        const about = [404, 412].includes(azureStatus(error) ?? 0) ? source.fault("Read", object.key, error) : error;
        throw azureCode(error) === "ContainerNotFound" ? error : about;
      }
    });
  if (object.size <= copyFromUrlLimitBytes) {
    if ((await send(() => blob.syncCopyFromURL(url, { sourceConditions, metadata }))) === undefined) return undefined;
  } else {
    const names = await settleEach(
      splitIntoParts(object.size, 64 * 2 ** 20, maximumBlocks),
      parallelParts,
      async ({ number, offset, size }) => {
        const name = Buffer.from(`${String(number - 1).padStart(6, "0")}-${md5Hex(object.etag)}`).toString("base64");
        const staged = await send(() => blob.stageBlockFromURL(name, url, offset, size));
        return staged && name;
      },
    );
    if (names.includes(undefined)) return undefined;
    // blocks are read without a condition on the version: it must be the same one still
    await seen(source, object);
    const blobHTTPHeaders = original.contentMD5 === undefined ? {} : { blobContentMD5: original.contentMD5 };
    await send(() => blob.commitBlockList(names as string[], { metadata, blobHTTPHeaders }));
  }
  const arrived = await propertiesOf(destination, key);
  const target = { label: destination.labelOf(key), bucket: destination.name, key };
  if (arrived === undefined) throw copyMismatch(object, target, "it is not there after the copy");
  const { size, etag } = summaryOf(key, arrived);
  const checksum = knownMd5(arrived);
  const isRight = size === object.size && (knownMd5(original) ?? checksum) === checksum;
  if (!isRight) {
    // it carries the source's ETag: left there, the next attempt would take it for a good copy
    await destination.request("Delete", key, () => blob.deleteIfExists({ conditions: matching(etag) }));
    const what = size === object.size ? "its MD5 differs from the source's" : `${size} bytes instead of ${object.size}`;
    throw copyMismatch(object, target, what);
  }
  return {
    key,
    size,
    etag,
    checksum: checksum ?? `md5:${await hashOf({ key, size, etag })}`,
    skipped: false,
  };
}

/** The properties of a blob that is what was listed. @throws ObjectNotFound */
export async function seen(
  container: AzureContainer,
  { key, etag }: ObjectSummary,
): Promise<BlobGetPropertiesResponse> {
  const properties = await propertiesOf(container, key);
  if (properties !== undefined && unquote(properties.etag) === etag) return properties;
  const what = properties ? "was replaced since it was listed" : "does not exist";
  throw new PipelineError("ObjectNotFound", `${container.labelOf(key)} ${what}`, { details: { key } });
}

/** The address of a blob with the right to read it for an hour: whoever copies asks the source in its own name. */
async function readableUrl(container: AzureContainer, key: string): Promise<string> {
  const blob = container.client.getBlobClient(key);
  if (!container.connection.hasKey) return blob.url;
  const now = Date.now();
  return blob.generateSasUrl({
    permissions: BlobSASPermissions.parse("r"),
    startsOn: new Date(now - signatureMilliseconds),
    expiresOn: new Date(now + signatureMilliseconds),
  });
}

function md5Hex(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
