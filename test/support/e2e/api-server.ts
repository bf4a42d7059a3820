import { execa } from "execa";
import { awsEnvironment, stackName } from "../../../local/index.ts";
import { projectDir } from "../../../local/paths.ts";
import { parseDocument } from "../documents.ts";

/** `milvus-backup server` as a process. */
export interface ApiServer {
  /** Asks below `/api/v1`; answers the body, in which 64-bit numbers are rounded. */
  ask(method: string, path: string, body?: object): Promise<ApiAnswer>;
  /** @param signal as a terminal, or a service manager, ends it */
  end(signal: "SIGINT" | "SIGTERM" | "SIGKILL"): Promise<number | undefined>;
}

interface ApiAnswer {
  readonly code?: number;
  readonly msg: string;
  readonly requestId?: string;
  // a test looks into whatever shape the answer should have
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly data: any;
}

/** Starts it on a free port. */
export async function startApi(...options: readonly string[]): Promise<ApiServer> {
  const child = execa(process.execPath, ["cli/bin.js", ...options, "--json", "server", "--port", "0"], {
    cwd: projectDir,
    env: { ...awsEnvironment, MILVUS_BACKUP_STACK: stackName },
    reject: false,
    stdin: "ignore",
  });
  const url = await new Promise<string>((resolve, reject) => {
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.trimEnd().endsWith("}")) resolve((parseDocument(printed) as { url: string }).url);
    });
    void child.then(({ stderr }) => reject(new Error(`the server ended: ${stderr}`)));
  });
  return {
    async ask(method, path, body) {
      const response = await fetch(`${url}${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
      return (await response.json()) as ApiAnswer;
    },
    async end(signal) {
      child.kill(signal);
      return (await child).exitCode;
    },
  };
}
