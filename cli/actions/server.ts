import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { chosenEnvironment } from "../environments.ts";
import { CliError } from "../errors.ts";
import { createApi } from "../server/api.ts";
import { buildApp } from "../server/app.ts";
import { guard, isLoopback, urlHost } from "../server/guard.ts";
import type { VerbRun } from "../verbs/verb.ts";

interface ServerOptions {
  readonly port: string;
  readonly host: string;
  readonly tokenFile?: string;
  /** false: without one, whoever reaches the address. */
  readonly token: boolean;
}

/** What HTTP takes as a token (RFC 6750), and nobody guesses. */
const tokens = /^[A-Za-z0-9._~+/-]{16,}=*$/;

/** Answers milvus-backup's REST API until it is told to stop. */
export async function server(run: VerbRun<ServerOptions>): Promise<void> {
  const { options, shared, output, context } = run;
  const port = portOf(options.port);
  const token = tokenOf(options, context.terminal.env);
  // What would make every answer an error is said now.
  const environment = await chosenEnvironment(context, shared);
  const api = createApi({ context, shared, output });
  await api.pipeline();
  const app = buildApp(api, { guard: guard({ host: options.host, ...(token !== undefined && { token }) }) });
  const listening = serve({ fetch: app.fetch, hostname: options.host, port });
  try {
    const address = await new Promise<AddressInfo>((resolve, reject) => {
      listening.once("error", reject);
      listening.once("listening", () => resolve(listening.address() as AddressInfo));
    });
    const url = `http://${urlHost(options.host)}:${address.port}/api/v1`;
    const environmentName = environment.name;
    output.result(
      { kind: "server", version: 1, url, environment: environmentName, token: token !== undefined },
      `Listening on ${url} for environment ${environmentName}${token === undefined ? "" : ", with a token"}`,
    );
    if (token === undefined) output.note(`Whoever reaches it may back up, restore and delete: docs at ${url}/docs`);
    await told(context.terminal.onInterrupt);
    output.note("Stopped; executions go on: milvus-backup executions lists them");
  } catch (error) {
    throw explained(error, options);
  } finally {
    listening.close();
    // requests that wait for an execution would keep it open
    if ("closeAllConnections" in listening) listening.closeAllConnections();
  }
}

/** Until Ctrl-C, or the signal that service managers and containers send. */
async function told(onInterrupt: (listener: () => void) => () => void): Promise<void> {
  let stopListening = () => {};
  let onTerminate = () => {};
  await new Promise<void>((resolve) => {
    stopListening = onInterrupt(resolve);
    onTerminate = resolve;
    process.once("SIGTERM", onTerminate);
  });
  stopListening();
  process.off("SIGTERM", onTerminate);
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new CliError("Usage", `--port: ${JSON.stringify(text)} is no port; use 0 to 65535, such as --port 8080`);
}

/** @throws Usage where nobody would be asked for one though others reach the address */
function tokenOf(
  { host, tokenFile, token: wanted }: ServerOptions,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const [source, given] =
    tokenFile === undefined
      ? ["MILVUS_BACKUP_SERVER_TOKEN", env.MILVUS_BACKUP_SERVER_TOKEN || undefined]
      : [`--token-file ${tokenFile}`, contentOf(tokenFile)];
  if (!wanted) {
    if (given !== undefined) throw new CliError("Usage", `--no-token and ${source} exclude each other: leave one out`);
    return undefined;
  }
  if (given === undefined) {
    if (isLoopback(host)) return undefined;
    throw new CliError(
      "Usage",
      `--host ${host}: whoever reaches it could restore and delete; add --token-file FILE (openssl rand -hex 32 > FILE), or --no-token where something in front of it asks who comes`,
    );
  }
  if (tokens.test(given)) return given;
  throw new CliError(
    "Usage",
    `${source}: a token has 16 characters or more of [A-Za-z0-9._~+/-], on one line; make one with: openssl rand -hex 32`,
  );
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown error";
    throw new CliError("Usage", `--token-file ${file} cannot be read (${code})`, { cause });
  }
}

function explained(error: unknown, { host, port }: ServerOptions): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "EADDRINUSE") {
    return new CliError(
      "Usage",
      `--port: something listens on ${host}:${port} already; choose another port, or 0 for a free one`,
    );
  }
  if (code === "EACCES")
    return new CliError("Usage", `--port: this user may not listen on port ${port}; use one from 1024 on`);
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND" || code === "EAI_AGAIN")
    return new CliError(
      "Usage",
      `--host: ${host} is no address of this machine; use 127.0.0.1, or 0.0.0.0 for all of them`,
    );
  return error;
}
