import { createServer, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "vitest";
import { openEnvironmentStore } from "../../../../src/adapters/store-opener.ts";
import { collected } from "../../../support/collected.ts";
import { environmentAt, listening } from "../../../support/http-answers.ts";

const body = Buffer.from("Zürich 東京 😀 470615367219551002\n".repeat(5_000));

/** What one request asked for: `bytes=7-`, the ETag that must be there. */
interface Asked {
  readonly range: string | undefined;
  readonly ifMatch: string | undefined;
}

let close: (() => Promise<void>) | undefined;
afterEach(() => close?.());

/** A store whose answers are given by number: a real one cannot be made to break its connections. */
async function storeOf(answer: (response: ServerResponse, from: number, request: number) => void) {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const { range, "if-match": ifMatch } = request.headers;
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    response.setHeader("ETag", '"one"');
    response.setHeader("Content-Length", body.length - from);
    if (range !== undefined) {
      response.statusCode = 206;
      response.setHeader("Content-Range", `bytes ${from}-${body.length - 1}/${body.length}`);
    }
    answer(response, from, asked.push({ range, ifMatch }) - 1);
  });
  const { port, ...listener } = await listening(server);
  close = listener.close;
  const environment = environmentAt(port, "bucket");
  return { asked, store: await openEnvironmentStore(environment, "backup") };
}

function sendAndBreak(response: ServerResponse, bytes: Buffer): void {
  response.write(bytes, () => response.destroy());
}

test("a connection that breaks is taken up where it was, in the middle of a character too, for the same version", async () => {
  const breaks = [8, 11, 30_000];
  const { asked, store } = await storeOf((response, from, request) => {
    const until = breaks[request];
    if (until === undefined) response.end(body.subarray(from));
    else sendAndBreak(response, body.subarray(from, until));
  });

  const pieces = await collected(store.readText("big"));

  expect(pieces.join("")).toBe(body.toString());
  expect(asked).toEqual([
    { range: undefined, ifMatch: undefined },
    ...breaks.map((at) => ({ range: `bytes=${at}-`, ifMatch: '"one"' })),
  ]);
});

test("one that breaks again and again without a byte is given up, as something that may pass", async () => {
  const { asked, store } = await storeOf((response, from, request) => {
    sendAndBreak(response, request === 0 ? body.subarray(0, 10) : body.subarray(from, from));
  });

  await expect(collected(store.readText("big"))).rejects.toMatchObject({ name: "StoreBusy" });
  expect(asked.length).toBeLessThan(20);
});

test("another version behind a broken connection is never read on, whether the store knows the condition or not", async () => {
  for (const refuses of [true, false]) {
    const { store } = await storeOf((response, from, request) => {
      if (request === 0) return sendAndBreak(response, body.subarray(0, 100));
      response.setHeader("ETag", '"two"');
      if (!refuses) return response.end(body.subarray(from));
      response.removeHeader("Content-Length");
      response.statusCode = 412;
      response.end(
        "<Error><Code>PreconditionFailed</Code><Message>one of the conditions did not hold</Message></Error>",
      );
    });

    await expect(collected(store.readText("big"))).rejects.toMatchObject({
      name: "ObjectNotFound",
      message: expect.stringContaining("was replaced while it was read"),
    });
    close?.();
  }
});

test("a store that knows no ranges does not send the beginning twice", async () => {
  const { store } = await storeOf((response, _from, request) => {
    if (request === 0) return sendAndBreak(response, body.subarray(0, 100));
    response.statusCode = 200;
    response.removeHeader("Content-Range");
    response.setHeader("Content-Length", body.length);
    response.end(body);
  });

  await expect(collected(store.readText("big"))).rejects.toMatchObject({ name: "StoreFailed" });
});

test("who stops reading ends the request", async () => {
  let ended = false;
  const { store } = await storeOf((response) => {
    response.on("close", () => {
      ended = true;
    });
    response.write(body.subarray(0, 1000));
  });

  for await (const _ of store.readText("big")) break;

  await expect.poll(() => ended).toBe(true);
});
