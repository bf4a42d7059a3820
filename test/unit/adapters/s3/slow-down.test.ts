import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterEach, describe, expect, test } from "vitest";
import { connectS3 } from "../../../../src/adapters/s3/connection.ts";
import { S3ObjectStore } from "../../../../src/adapters/s3/object-store.ts";
import { environmentAt, listening } from "../../../support/http-answers.ts";
import { shortPatience } from "../../../support/short-patience.ts";

const etag = "0cc175b9c0f1b6a831c399e269772661";
let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

/** A store that copies, and refuses what is more than so many requests at once. */
async function storeThatBears(bears: () => number, refusal = { status: 503, code: "SlowDown" }) {
  const copied = new Set<string>();
  const seen: { inFlight: number; refused: boolean; at: number }[] = [];
  let inFlight = 0;
  const server = createServer(async (request, response) => {
    inFlight += 1;
    const refused = inFlight > bears();
    seen.push({ inFlight, refused, at: performance.now() });
    request.resume();
    await sleep(20);
    inFlight -= 1;
    response.setHeader("content-type", "application/xml");
    if (refused) {
      response.statusCode = refusal.status;
      response.end(`<Error><Code>${refusal.code}</Code><Message>Please reduce your request rate.</Message></Error>`);
      return;
    }
    copied.add(new URL(request.url ?? "", "http://store").pathname);
    response.end(`<CopyObjectResult><ETag>"${etag}"</ETag></CopyObjectResult>`);
  });
  const { port, ...listener } = await listening(server);
  close = listener.close;
  const { storage } = environmentAt(port, "bucket-a");
  const connection = connectS3(storage);
  const { patience, logged } = shortPatience();
  const [source, destination] = ["bucket-a", "bucket-b"].map(
    (name) => new S3ObjectStore(connection, name, { patience }),
  );
  if (!source || !destination) throw new Error("unreachable");
  return {
    seen,
    copied,
    logged,
    connection,
    copyAll: (count: number, from = 0) =>
      Promise.all(
        Array.from({ length: count }, (_, index) => {
          const key = `log-${from + index}`;
          return destination.copyFrom(source, { key, size: 1, etag }, key, { existing: null });
        }),
      ),
  };
}

describe("a store that refuses more than a few requests at once", () => {
  test.each([
    ["S3", { status: 503, code: "SlowDown" }],
    ["the keys of KMS", { status: 400, code: "KMS.ThrottlingException" }],
    ["KMS itself", { status: 400, code: "ThrottlingException" }],
  ])("gets fewer until it bears them, and everything is copied: %s", async (_, refusal) => {
    const store = await storeThatBears(() => 6, refusal);

    await store.copyAll(400);

    expect(store.copied.size).toBe(400);
    const settled = store.seen.slice(-150);
    expect(Math.max(...settled.map(({ inFlight }) => inFlight))).toBeLessThanOrEqual(8);
    // what grows by one meets the limit again now and then, and no more
    expect(settled.filter(({ refused }) => refused).length).toBeLessThan(30);
  });

  test("gets more again once it bears them", async () => {
    let bears = 4;
    const store = await storeThatBears(() => bears);
    await store.copyAll(100);
    const before = store.seen.length;
    bears = 1_000;

    await store.copyAll(600, 100);

    expect(store.copied.size).toBe(700);
    expect(Math.max(...store.seen.slice(before).map(({ inFlight }) => inFlight))).toBeGreaterThan(16);
  });

  test("that bears nothing for longer than the SDK tries is waited for, and that is logged", async () => {
    let refusals = 7;
    const store = await storeThatBears(() => {
      refusals -= 1;
      return refusals > 0 ? 0 : 1;
    });

    await store.copyAll(1);

    expect(store.copied.size).toBe(1);
    expect(store.logged).toMatchObject([{ message: "waiting", details: { reason: "busy" } }, { message: "waited" }]);
  });

  test("another fault takes no place away", async () => {
    const store = await storeThatBears(() => 0, { status: 403, code: "AccessDenied" });

    await expect(store.copyAll(1)).rejects.toMatchObject({ name: "StoreAccessDenied" });
    const request = new ListObjectsV2Command({ Bucket: "bucket-b" });
    await Promise.allSettled(Array.from({ length: 32 }, () => store.connection.client.send(request)));

    // one that was halved would let one through at a time
    expect(Math.max(...store.seen.map(({ inFlight }) => inFlight))).toBeGreaterThan(8);
  });
});
