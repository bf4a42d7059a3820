import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseEnvironment } from "../../src/core/environment/yaml.ts";
import type { CopyItem, TransferInput, TransferStepRequest } from "../../src/core/execution/messages.ts";
import { type BackupLayout, backupLayout, parseLogKey } from "../../src/core/format/layout.ts";
import { manifestFileOf, printManifestIndex, printManifestObject } from "../../src/core/format/manifest.ts";
import type { StepContext } from "../../src/ports/step-context.ts";
import { copySegments } from "../../src/steps/copy/copy-segments.ts";
import { finalizeTransfer } from "../../src/steps/transfer/finalize-transfer.ts";
import { prepareTransfer } from "../../src/steps/transfer/prepare-transfer.ts";
import { goldenFiles } from "./golden-backup.ts";
import { memoryContext } from "./memory-context.ts";
import type { MemoryObjectStore, MemoryStoreOptions } from "./memory-object-store.ts";
import { MemoryRegistry } from "./memory-registry.ts";

const goldenFolder = fileURLToPath(new URL("../fixtures/milvus-backup-0.5.16/", import.meta.url));

/** Two environments across two object stores, in memory; `a` holds the golden backup with all its logs as `my_backup`. @param options of the bucket of `b` */
export function transferWorld(options: MemoryStoreOptions = {}) {
  const memory = memoryContext();
  const environments = new MemoryRegistry();
  for (const one of [environment("a"), environment("b"), environment("b-again", "b")]) environments.register(one);
  const context: StepContext = {
    ...memory,
    environments,
    async openStore(ref, { earlier = false } = {}) {
      const { environment, version } = ref;
      const kept = earlier && version !== undefined ? await environments.getVersion(environment, version) : undefined;
      if (version !== undefined && kept === undefined) await environments.get(environment, { version });
      return memory.openStore(ref);
    },
  };
  const source = memory.store({ environment: "a", side: "backup" });
  const destination = memory.store({ environment: "b", side: "backup" }, options);
  const from = backupLayout("backup", "my_backup");
  const to = backupLayout("copies/backup", "my_backup");
  for (const path of goldenPaths) source.seed(from.root + path, readFileSync(join(goldenFolder, path)));
  return { context, environments, work: memory.work, running: memory.running, source, destination, from, to };
}
export type TransferWorld = ReturnType<typeof transferWorld>;

const goldenPaths = readdirSync(goldenFolder, { recursive: true, encoding: "utf8" }).filter((path) =>
  statSync(join(goldenFolder, path)).isFile(),
);

/** The backup bucket of each is one of a store of its own; only `b` keeps its backups deeper. */
function environment(name: string, store = name) {
  const yaml = `
minio:
  address: ${store}.test
  accessKeyID: key-${store}
  secretAccessKey: secret-${store}
  bucketName: bucket-${store}
  backupRootPath: ${store === "a" ? "backup" : "copies/backup"}
`;
  return parseEnvironment(yaml, { name, fileName: `${name}.yaml` });
}

/** A step's request in the execution of that name. */
export function transferRequest(execution: string, input: Partial<TransferInput> = {}): TransferStepRequest {
  return {
    execution: { name: execution, id: executionArn(execution), startTime: "2026-11-21T11:03:07Z" },
    input: { backupName: "my_backup", from: "a", to: "b", ...input },
    attempt: 0,
  };
}

export function executionArn(execution: string): string {
  return `arn:aws:states:us-east-1:000000000000:execution:transfer:${execution}`;
}

/** Copies every batch that an execution planned. */
export async function copyBatches({ context, work }: TransferWorld, execution: string): Promise<void> {
  const items = JSON.parse(work.read(`executions/transfer/${execution}/items-0.json`) ?? "[]") as CopyItem[];
  for (const { batchKey } of items) await copySegments({ execution, batchKey }, context);
}

/** What the machine does, from its first step to its last. */
export async function transfer(world: TransferWorld, execution: string, input: Partial<TransferInput> = {}) {
  const request = transferRequest(execution, input);
  const prepared = await prepareTransfer(request, world.context);
  await copyBatches(world, execution);
  return { prepared, finalized: await finalizeTransfer(request, world.context) };
}

/**
 * Gives a backup in memory the manifest that our backups have.
 * @param more keys that it lists beside what is there
 */
export async function seedManifest(
  store: MemoryObjectStore,
  layout: BackupLayout,
  more: readonly string[] = [],
): Promise<void> {
  const relative = (key: string) => key.slice(layout.root.length);
  const logs: { from: string; key: string; size: number; etag: string; checksum: string }[] = [];
  for await (const { key, size, etag } of store.list(layout.binlogs)) {
    logs.push({ from: key, key, size, etag, checksum: `md5:${etag}` });
  }
  for (const key of more) logs.push({ from: key, key, size: 1, etag: "e", checksum: "md5:e" });
  const collections = [...Map.groupBy(logs, ({ key }) => parseLogKey(key)?.collectionId ?? "")];
  const parts = collections.map(([collectionId, members]) => {
    const text = members.map((log) => printManifestObject(log, layout)).join("");
    const bytes = members.reduce((sum, { size }) => sum + size, 0);
    const file = manifestFileOf(relative(layout.manifestPart(collectionId, 0)), text);
    return { text, part: { ...file, collectionId, objects: members.length, bytes } };
  });
  for (const { part, text } of parts) store.seed(layout.root + part.key, text);
  const names = Object.keys(goldenFiles) as (keyof typeof goldenFiles)[];
  const index = printManifestIndex({
    backupName: "my_backup",
    backupId: "id",
    created: "2026-11-21T11:03:07Z",
    pipelineVersion: "0.0.0",
    instants: [],
    metas: names.map((name) => manifestFileOf(relative(layout.meta[name]), store.read(layout.meta[name]) ?? "")),
    parts: parts.map(({ part }) => part),
  });
  store.seed(layout.manifest, index);
}

/** Path below a backup's root, and MD5, of everything there. */
export async function contentOf(store: MemoryObjectStore, root: string): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for await (const { key, etag } of store.list(root)) content[key.slice(root.length)] = etag;
  return content;
}

/** Replaces an object by another one of the same size. */
export async function damage(store: MemoryObjectStore, key: string): Promise<void> {
  const { size = 0 } = (await store.head(key)) ?? {};
  store.seed(key, "x".repeat(size));
}
