import type { Terminal } from "../../../../cli/output/terminal.ts";
import { createApi } from "../../../../cli/server/api.ts";
import { buildApp } from "../../../../cli/server/app.ts";
import { guard } from "../../../../cli/server/guard.ts";
import { parseJson } from "../../../../src/core/format/lossless-json.ts";
import { collectionDescription } from "../../../support/collection-description.ts";
import { MemoryMilvus } from "../../../support/memory-milvus.ts";
import { seedBackup } from "../../../support/seed-backup.ts";
import { environmentNamed, FakeCli } from "../support/fake-cli.ts";

function seededCli(): FakeCli {
  const cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
  const milvus = new MemoryMilvus();
  milvus.addCollection(collectionDescription("coll"));
  cli.milvus = milvus;
  seedBackup(cli.backups, "golden");
  return cli;
}

/** An answer: 64-bit numbers of its body are bigints. */
export interface Answered {
  readonly status: number;
  // a test looks into whatever shape the answer should have
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly body: any;
  readonly text: string;
}

/** The REST API over a pipeline in memory: an environment `prod` with a collection `coll` and a backup `golden`. */
export class FakeServer {
  readonly cli = seededCli();
  readonly log: string[] = [];
  readonly warnings: string[] = [];
  #app = this.#build();

  /** Ends this process and starts another. */
  restart(
    options: { readonly token?: string; readonly host?: string; readonly patienceMilliseconds?: number } = {},
  ): void {
    this.#app = this.#build(options);
  }

  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    const response = await this.#app.request(`http://127.0.0.1:8080/api/v1${path}`, {
      method,
      headers: { host: "127.0.0.1:8080", ...headers },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, text, body: isJson ? parseJson(text, "the answer") : undefined };
  }

  #build(options: { readonly token?: string; readonly host?: string; readonly patienceMilliseconds?: number } = {}) {
    const written = { write: () => true };
    const terminal: Terminal = {
      stdout: written,
      stderr: written,
      env: {},
      ask: async () => undefined,
      onInterrupt: () => () => {},
    };
    const context = this.cli.context(terminal);
    const shared = {
      ...{ config: "backup.yaml", set: [], environment: "prod", stack: "MilvusBackup" },
      ...{ json: false, quiet: false, color: false },
    };
    const output = { note: (line: string) => this.log.push(line), warn: (line: string) => this.warnings.push(line) };
    const { host = "127.0.0.1", token, patienceMilliseconds } = options;
    return buildApp(createApi({ context, shared, output }), {
      guard: guard({ host, ...(token !== undefined && { token }) }),
      ...(patienceMilliseconds !== undefined && { patienceMilliseconds }),
    });
  }
}
