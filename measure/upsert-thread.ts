import { parentPort, workerData } from "node:worker_threads";
import { connectClient } from "../local/milvus-client.ts";
import { type LoadMessage, stopMessage, type UpsertLoadOptions } from "./upsert-load.ts";
import { runUpsertLoop } from "./upsert-loop.ts";

/** The thread that `startUpsertLoad` starts. */
const options = workerData as UpsertLoadOptions;
const stop = new AbortController();
const tell = (message: LoadMessage) => parentPort?.postMessage(message);

parentPort?.on("message", (message) => {
  if (message === stopMessage) stop.abort();
});
const client = await connectClient(options.address);
try {
  tell(await runUpsertLoop(client, options, stop.signal, () => tell("running")));
} finally {
  await client.closeConnection();
  parentPort?.close();
}
