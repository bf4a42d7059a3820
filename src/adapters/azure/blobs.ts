import type { BlobGetPropertiesResponse } from "@azure/storage-blob";
import { PipelineError } from "../../core/execution/errors.ts";
import type { ObjectSummary } from "../../ports/object-store.ts";
import { ifPresent } from "../streams/if-present.ts";
import type { AzureContainer } from "./container.ts";

/** Where a copy notes what it is a copy of; names of metadata are identifiers here. */
export const sourceEtagMetadata = "sourceetag";

/** ETags come with quotes in headers and without in listings. */
export function unquote(etag: string | undefined): string {
  return (etag ?? "").replace(/^"|"$/g, "");
}

/** A condition on the version that was seen. */
export function matching(etag: string): { ifMatch: string } {
  return { ifMatch: `"${etag}"` };
}

export async function propertiesOf(
  container: AzureContainer,
  key: string,
): Promise<BlobGetPropertiesResponse | undefined> {
  return ifPresent(() => container.request("Read", key, () => container.client.getBlobClient(key).getProperties()));
}

export function summaryOf(key: string, properties: BlobGetPropertiesResponse): ObjectSummary {
  return { key, size: properties.contentLength ?? 0, etag: unquote(properties.etag) };
}

/** `md5:<hex>` where the blob has a Content-MD5: of what was put in one request, or as whoever wrote its blocks said. */
export function knownMd5({ contentMD5 }: BlobGetPropertiesResponse): string | undefined {
  return contentMD5 === undefined || contentMD5.length === 0
    ? undefined
    : `md5:${Buffer.from(contentMD5).toString("hex")}`;
}

/** Bytes of a blob as it was seen; all of them where no range is given. */
export async function readBlob(
  container: AzureContainer,
  { key, etag, size }: ObjectSummary,
  range: { offset: number; size: number } = { offset: 0, size },
): Promise<Uint8Array> {
  if (range.size === 0) return new Uint8Array();
  return container.request("Read", key, async () => {
    const blob = container.client.getBlobClient(key);
    const answer = await blob.download(range.offset, range.size, { conditions: matching(etag) });
    const body = Buffer.allocUnsafe(range.size);
    let received = 0;
    for await (const chunk of answer.readableStreamBody ?? []) {
      const bytes = chunk as Buffer;
      if (received + bytes.length <= body.length) body.set(bytes, received);
      received += bytes.length;
    }
    if (received === range.size) return body;
    const reason = `${container.labelOf(key)}: ${received} bytes came instead of ${range.size}`;
    throw new PipelineError("StoreBusy", reason, { details: { key } });
  });
}
