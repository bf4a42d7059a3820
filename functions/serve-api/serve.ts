import { AsyncLocalStorage } from "node:async_hooks";
import { handle } from "hono/aws-lambda";
import * as z from "zod";
import type { CliContext, Connections } from "../../cli/context.ts";
import { createApi } from "../../cli/server/api.ts";
import { buildApp } from "../../cli/server/app.ts";
import { parseRequest } from "../../src/core/execution/parse-request.ts";
import type { Clock } from "../../src/ports/clock.ts";

/** Milliseconds; API Gateway waits 29 s for the function, its start included. */
const patienceMilliseconds = 18_000;
const longestMilliseconds = 25_000;
/** What Lambda takes as an answer: 6 MB (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
const longestAnswer = 6 * 1024 * 1024;

/** What is looked at of a request of an HTTP API, payload format 2.0; the adapter reads the rest. */
const httpRequest = z.looseObject({
  version: z.literal("2.0"),
  rawPath: z.string(),
  requestContext: z.looseObject({
    requestId: z.string(),
    http: z.looseObject({ method: z.string() }),
    authorizer: z.looseObject({ iam: z.looseObject({ userArn: z.string() }).optional() }).optional(),
  }),
});

/** An answer as API Gateway takes it. */
export interface HttpAnswer {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Which request a line of the log is about, and who asked. */
type Asked = Readonly<Record<"apiRequestId" | "caller", string>>;

interface ServeOptions {
  readonly connections: Connections;
  readonly clock: Clock;
  /** The registered environment that the API is about. */
  readonly environment: string;
  readonly log: {
    /** @param keys in place of those that were appended */
    info(line: string, keys: Partial<Asked>): void;
    warn(line: string, keys: Partial<Asked>): void;
    /** Of every line from now on that has no others. */
    appendKeys(keys: Asked): void;
  };
  /** Milliseconds: after how long a request that waits is answered as if it did not, and any request at all. */
  readonly patience?: { readonly wait: number; readonly answer: number };
}

/**
 * Answers the REST API behind an HTTP API with IAM authorisation. Nothing is kept but caches: any instance answers for any other.
 * @returns what answers an event @throws InvalidInput for one that is no HTTP request
 */
export function serveApi(options: ServeOptions): (event: unknown) => Promise<HttpAnswer> {
  const { connections, clock, environment, log } = options;
  const { wait, answer } = options.patience ?? { wait: patienceMilliseconds, answer: longestMilliseconds };
  const context: CliContext = { connections, clock, terminal: nobody };
  const shared = { config: "", set: [], environment, stack: "", json: false, quiet: true, color: false };
  // what was answered as too late goes on when the function thaws, with the next request
  const asking = new AsyncLocalStorage<Asked>();
  const output = {
    note: (line: string) => log.info(line, asking.getStore() ?? {}),
    warn: (line: string) => log.warn(line, asking.getStore() ?? {}),
  };
  const app = buildApp(createApi({ context, shared, output }), { guard: undefined, patienceMilliseconds: wait });
  const adapted = handle(app);
  return async (event) => {
    const request = parseRequest(httpRequest, event);
    const { rawPath, requestContext } = request;
    const { http, authorizer, requestId } = requestContext;
    const caller = authorizer?.iam?.userArn;
    const asked = { apiRequestId: requestId, caller: caller ?? "nobody" };
    log.appendKeys(asked);
    if (!caller) {
      log.warn(`${http.method} ${rawPath} 403: it did not come through API Gateway's authorisation`, asked);
      return failure(403, "requests come through API Gateway, signed with SigV4 for execute-api");
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, answer);
    });
    try {
      // by which name it is asked plays no part, and an emulator's may be none
      const named = { ...request, requestContext: { ...requestContext, domainName: "api" } };
      const answering = asking.run(asked, () => adapted(named as unknown as Parameters<typeof adapted>[0]));
      const answered = await Promise.race([answering, late]);
      if (answered !== undefined) return fitting(answered as HttpAnswer);
      log.warn(`${http.method} ${rawPath} 504: no answer in ${answer} ms`, asked);
      return failure(504, tooLate(http.method, answer));
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Nobody is at a terminal, and nothing is printed. */
const nobody: CliContext["terminal"] = {
  stdout: { write: () => true },
  stderr: { write: () => true },
  env: {},
  ask: async () => undefined,
  onInterrupt: () => () => {},
};

function failure(statusCode: number, error: string): HttpAnswer {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify({ error }) };
}

function tooLate(method: string, milliseconds: number): string {
  const slow = `no answer within ${milliseconds / 1000} s: Milvus, a store or AWS is slow or does not answer`;
  if (method === "GET") return `${slow}; ask again`;
  return `${slow}. Whether something was begun, get_backup, get_restore and list tell; what has an ID of its own (request_id, id) can be sent again, and is begun once`;
}

/** An answer that Lambda would refuse is an error that says so. */
export function fitting(answer: HttpAnswer): HttpAnswer {
  // each character is six bytes at most as Lambda gets it (\u001f), quotes are two
  if (answer.body.length * 6 <= longestAnswer) return answer;
  const bytes = Buffer.byteLength(JSON.stringify(answer));
  if (bytes <= longestAnswer) return answer;
  const mebibytes = (bytes / 1024 / 1024).toFixed(1);
  return failure(
    500,
    `the answer has ${mebibytes} MiB, and Lambda hands on no more than 6: the command has no such limit (milvus-backup list, get)`,
  );
}
