import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { GetObjectCommand, ListMultipartUploadsCommand, ListPartsCommand } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { projectDir } from "../../local/paths.ts";
import { connectS3 } from "../../src/adapters/s3/connection.ts";
import { openEnvironmentStore } from "../../src/adapters/store-opener.ts";
import { type CopyBatch, copyReceipt } from "../../src/core/execution/copy-plan.ts";
import { environmentOn, minioPair, startPair, stopPair } from "../support/minio-pair.ts";

const patience = 600_000;
const mebibyte = 2 ** 20;
const pair = ["contract-large", 9520] as const;
const stores = minioPair(...pair);
const [a, b] = [environmentOn("a", stores.a), environmentOn("b", stores.b)];

/** One object of 300 MB, and what a segment has beside it. */
const sizes = { "100/1": 300_000_000, "101/1": 60_000_000, "0/1": 1_000_000, "1/1": 1_000_000 } as const;
type Path = keyof typeof sizes;
const paths = Object.keys(sizes) as Path[];
const from = "backup/large/binlogs/insert_log/1/2/3/3/";
const to = "backup/copy/binlogs/insert_log/1/2/3/3/";
const batchKey = "executions/transfer/large/batches/0-000000.json";
const receiptKey = "executions/transfer/large/receipts/0-000000.json";

const batch: CopyBatch = {
  batch: "0-000000",
  source: { environment: "a", side: "backup" },
  destination: { environment: "b", side: "backup" },
  receiptKey,
  cancelKey: "executions/transfer/large/cancelled",
  checkLogCounts: false,
  segments: [
    {
      collectionId: "1",
      partitionId: "2",
      segmentId: "3",
      rows: "100000",
      isL0: false,
      prefixes: [{ kind: "insert", from, to, expect: paths.map((path) => ({ path, size: sizes[path] })) }],
    },
  ],
};

const md5s = new Map<Path, string>();

beforeAll(async () => {
  await startPair(stores);
  for (const path of paths) {
    const hash = createHash("md5");
    const Body = Readable.from(contentOf(sizes[path], hash), { objectMode: false });
    const params = { Bucket: "bucket-a", Key: from + path, Body };
    await new Upload({ client: connectS3(a.backupStorage).client, params, partSize: 16 * mebibyte }).done();
    md5s.set(path, hash.digest("hex"));
  }
  await (await openEnvironmentStore(a, "backup")).putText(batchKey, JSON.stringify(batch));
}, patience);
afterAll(() => stopPair(stores));

test(
  "a process that is killed in the middle of 300 MB is followed by one that finishes, in bounded memory",
  async () => {
    const killed = copyProcess();
    await untilPartsArrive();
    killed.kill("SIGKILL");
    await killed;
    const destination = await openEnvironmentStore(b, "backup");
    expect(await destination.head(`${to}100/1`)).toBeUndefined();
    expect(await openUploads()).toContain(`${to}100/1`);

    const { stdout } = await copyProcess();

    expect(await openUploads()).toEqual([]);
    const { outcome, peakBytes } = JSON.parse(String(stdout)) as { outcome: string; peakBytes: number };
    expect(outcome).toBe("copied");
    // Node, which strips types here, and the SDK themselves take some 170 MB, copies in flight 32 MiB and what the client holds of them.
    expect(peakBytes).toBeLessThan(320 * mebibyte);
    for (const path of paths) expect(await md5At(to + path)).toBe(md5s.get(path));
    const receipt = copyReceipt.parse(JSON.parse(await (await openEnvironmentStore(a, "backup")).getText(receiptKey)));
    expect(receipt).toMatchObject({ outcome: "copied", objects: 4, bytes: 362_000_000 });
    const copied = receipt.segments.flatMap(({ insertLogs }) => insertLogs);
    expect(copied.find(({ key }) => key === `${to}100/1`)).toMatchObject({
      size: 300_000_000,
      checksum: `md5:${md5s.get("100/1")}`,
    });
  },
  patience,
);

function copyProcess() {
  return execa(process.execPath, ["test/support/copy-batch-process.ts", pair[0], String(pair[1]), batchKey], {
    cwd: projectDir,
    reject: false,
    timeout: patience,
  });
}

/** Until some of the 300 MB lie at the destination as parts of an upload that is not complete. */
async function untilPartsArrive(): Promise<void> {
  const { client } = connectS3(b.backupStorage);
  const target = { Bucket: "bucket-b", Key: `${to}100/1` };
  for (let look = 0; look < 3_000; look += 1) {
    const { Uploads: [upload] = [] } = await client.send(
      new ListMultipartUploadsCommand({ Bucket: target.Bucket, Prefix: target.Key }),
    );
    if (upload !== undefined) {
      const { Parts = [] } = await client.send(new ListPartsCommand({ ...target, UploadId: upload.UploadId }));
      if (Parts.length > 0) return;
    }
    await sleep(10);
  }
  throw new Error("no part of the large object arrived");
}

/** Keys whose parts lie hidden in the destination. */
async function openUploads(): Promise<(string | undefined)[]> {
  const { client } = connectS3(b.backupStorage);
  const answers = await Promise.all(
    paths.map((path) => client.send(new ListMultipartUploadsCommand({ Bucket: "bucket-b", Prefix: to + path }))),
  );
  return answers.flatMap(({ Uploads = [] }) => Uploads.map(({ Key }) => Key));
}

/** Numbered blocks, so that parts in another order would not go unnoticed. */
async function* contentOf(size: number, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < size; offset += mebibyte) {
    const block = Buffer.alloc(Math.min(mebibyte, size - offset), `${offset} `);
    hash.update(block);
    yield block;
  }
}

async function md5At(key: string): Promise<string> {
  const { Body } = await connectS3(b.backupStorage).client.send(new GetObjectCommand({ Bucket: "bucket-b", Key: key }));
  const hash = createHash("md5");
  for await (const chunk of Body as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}
