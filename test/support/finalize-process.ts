import { parseEnvironment } from "../../src/core/environment/yaml.ts";
import type { MilvusContext } from "../../src/ports/step-context.ts";
import { finalizeBackup } from "../../src/steps/backup/finalize-backup.ts";
import { finalizeTransfer } from "../../src/steps/transfer/finalize-transfer.ts";
import { CopiedBackup } from "./copied-backup.ts";

/**
 * Runs the last step of a backup or a transfer in a process of its own, as a Lambda does, on a backup of a given number of segments
 * (20 objects each). Prints the result and the most memory it held, in bytes.
 */
const [argument = "", segments = ""] = process.argv.slice(2);
const machine = argument === "transfer" ? "transfer" : "backup";
const large = new CopiedBackup(Number(segments), machine);
const execution = {
  name: "large",
  id: "arn:aws:states:eu-west-1:000000000000:execution:m:large",
  startTime: "2026-11-21T11:03:07Z",
};
const destination = large.destination(execution.id);
const source = machine === "transfer" ? large.source() : destination;
const context: MilvusContext = {
  work: large.work(execution.name),
  environments: {
    get: async (name) => {
      const yaml = `minio:\n  address: ${name}.test\n  bucketName: ${name}\n  backupRootPath: backup\n`;
      return { ...parseEnvironment(yaml, { name, fileName: `${name}.yaml` }), version: "1" };
    },
    getVersion: () => Promise.reject(new Error("nothing else is registered")),
  },
  allowed: {},
  openStore: async ({ environment }) => (environment === "from" ? source : destination),
  connectMilvus: () => Promise.reject(new Error("no Milvus here")),
  garbageCollection: () => {
    throw new Error("no Milvus here");
  },
  executions: { state: async () => "over" },
  clock: { now: () => new Date(), sleep: () => Promise.resolve() },
  log: { info: () => {}, warn: () => {} },
};

const result =
  machine === "transfer"
    ? await finalizeTransfer({ execution, input: { backupName: "large", from: "from", to: "to" }, attempt: 0 }, context)
    : await finalizeBackup({ execution, input: { environment: "to", backupName: "large" }, attempt: 0 }, context);
console.log(JSON.stringify({ result, peakBytes: process.resourceUsage().maxRSS * 1024 }));
