import { randomUUID } from "node:crypto";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { messageOf } from "../../src/core/execution/errors.ts";
import {
  type Answer,
  type AnswerCodec,
  backupAnswer,
  codes,
  deleteAnswer,
  listAnswer,
  restoreAnswer,
} from "./answers.ts";
import type { Api } from "./api.ts";
import { openApi } from "./openapi.ts";
import {
  checkAll,
  createBackup,
  deleteBackup,
  getBackup,
  getRestore,
  listAll,
  type Patience,
  restoreBackup,
} from "./operations.ts";
import { BadBody, createRequest, parseBody, restoreRequest } from "./requests.ts";

/** Names of collections are what makes a body long. */
const longestBody = 4 * 1024 * 1024;

const noSecondary =
  "a secondary cluster of Milvus's own replication is set up with milvus-backup, which reads plain backups of this server; POST /api/v1/restore restores one";

interface AppOptions {
  /** Who may ask; undefined: somebody in front has asked who comes. */
  readonly guard: MiddlewareHandler | undefined;
  /**
   * How long a request may take: one that is not `async` is answered then as if it were, a deletion is broken off to be gone on with by the
   * next request, and nothing is started after it. Without end where absent.
   */
  readonly patienceMilliseconds?: number;
}

/** The REST API of milvus-backup 0.5.16 over the pipeline: `/api/v1`. */
export function buildApp(api: Api, { guard, patienceMilliseconds }: AppOptions): Hono<Told> {
  const patience = (c: Context): Patience => {
    const { signal } = c.req.raw;
    if (patienceMilliseconds === undefined) return { signal };
    const until = new Date(api.context.clock.now().getTime() + patienceMilliseconds);
    return { signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMilliseconds)]), until };
  };

  const app = new Hono<Told>();
  const hello = (c: Context) => c.text("Hello from milvus-backup");

  app.all("/", hello);
  app.get("/api/v1/hello", hello);
  app.use("/api/v1/*", logging(api));
  if (guard) app.use("/api/v1/*", guard);
  app.use(
    "/api/v1/*",
    bodyLimit({ maxSize: longestBody, onError: (c) => c.json({ error: "the body is too long" }, 413) }),
  );
  for (const path of ["/api/v1/docs", "/api/v1/docs/*"]) app.get(path, (c) => c.json(openApi));

  app.post("/api/v1/create", async (c) => {
    const request = parseBody(createRequest, await c.req.text());
    return answer(c, backupAnswer, await createBackup(api, request, requestIdOf(c), patience(c)));
  });
  app.post("/api/v1/restore", async (c) => {
    const request = parseBody(restoreRequest, await c.req.text());
    const requestId = request.requestId || requestIdOf(c);
    return answer(c, restoreAnswer, await restoreBackup(api, { ...request, requestId }, patience(c)));
  });
  app.get("/api/v1/get_backup", async (c) => {
    const [name = "", id = "", path = ""] = ["backup_name", "backup_id", "path"].map((key) => c.req.query(key));
    const query = { name, id, path };
    return answer(c, backupAnswer, await getBackup(api, query, requestIdOf(c)));
  });
  app.get("/api/v1/get_restore", async (c) =>
    answer(c, restoreAnswer, await getRestore(api, c.req.query("id") ?? "", requestIdOf(c))),
  );
  app.get("/api/v1/list", async (c) => {
    const requestId = requestIdOf(c);
    const listed = c.req.query("collection_name")
      ? listAnswer.create({
          requestId,
          code: codes.parameterError,
          msg: "collection_name: milvus-backup takes it no more; leave it out",
        })
      : await listAll(api, requestId);
    return answer(c, listAnswer, listed);
  });
  app.delete("/api/v1/delete", async (c) => {
    const [name = "", confirm = ""] = [c.req.query("backup_name"), c.req.query("confirm")];
    const requestId = requestIdOf(c) || randomUUID();
    return answer(c, deleteAnswer, await deleteBackup(api, { name, confirm }, requestId, patience(c)));
  });
  app.post("/api/v1/restore_secondary", (c) =>
    answer(
      c,
      restoreAnswer,
      restoreAnswer.create({ requestId: requestIdOf(c), code: codes.notSupported, msg: noSecondary }),
    ),
  );
  app.get("/api/v1/check", async (c) => {
    const { ok, text } = await checkAll(api);
    return ok ? c.text(text) : c.json({ error: text }, 500);
  });

  app.notFound((c) =>
    c.json({ error: `there is no ${c.req.method} ${c.req.path}: GET /api/v1/docs has what there is` }, 404),
  );
  app.onError((error, c) => {
    if (error instanceof HTTPException) return error.getResponse();
    c.set("told", messageOf(error));
    return c.json({ error: messageOf(error) }, error instanceof BadBody ? 400 : 500);
  });
  return app;
}

/** What the log says of an answer, beside its status. */
interface Told {
  Variables: { told?: string };
}

/** As milvus-backup does: HTTP 200, and in the body how it went. */
function answer<T extends Answer>(c: Context<Told>, codec: AnswerCodec<T>, value: T): Response {
  if (value.code !== codes.success) c.set("told", `code ${value.code}: ${value.msg}`);
  return c.body(codec.print(value), 200, { "content-type": "application/json; charset=utf-8" });
}

/** A line for each request; bodies and queries are in none. */
function logging(api: Pick<Api, "log" | "context">): MiddlewareHandler<Told> {
  const now = () => api.context.clock.now().getTime();
  return async (c, next) => {
    const began = now();
    await next();
    const told = c.get("told");
    api.log(`${c.req.method} ${c.req.path} ${c.res.status} ${now() - began} ms${told === undefined ? "" : ` ${told}`}`);
  };
}

function requestIdOf(c: Context): string {
  return c.req.header("request_id") ?? "";
}
