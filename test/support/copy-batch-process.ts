import { openEnvironmentStore } from "../../src/adapters/store-opener.ts";
import { copySegments } from "../../src/steps/copy/copy-segments.ts";
import { environmentOn, minioPair } from "./minio-pair.ts";

/**
 * Copies one batch between two stores in a process of its own, as a Lambda does, so that a test can kill it and see how much memory
 * it took. Arguments: prefix and port of the pair, key of the batch. Prints the result and the most memory it held, in bytes.
 */
const [prefix = "", port = "", batchKey = ""] = process.argv.slice(2);
const stores = minioPair(prefix, Number(port));
const environments = new Map([
  ["a", environmentOn("a", stores.a)],
  ["b", environmentOn("b", stores.b)],
]);
const backupStore = (name: string) => {
  const environment = environments.get(name);
  if (environment === undefined) throw new Error(`no environment ${name}`);
  return openEnvironmentStore(environment, "backup");
};

const result = await copySegments(
  { execution: "large", batchKey },
  {
    work: await backupStore("a"),
    openStore: async ({ environment }) => backupStore(environment),
    clock: {
      now: () => new Date(),
      sleep: () => Promise.resolve(),
    },
    log: { info: () => {}, warn: () => {} },
  },
);
console.log(JSON.stringify({ ...result, peakBytes: process.resourceUsage().maxRSS * 1024 }));
