import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { LosslessNumber, parse, stringify } from "lossless-json";
import { defaultDatabase } from "../../../src/core/milvus/names.ts";
import { progressOf } from "./import-calls.ts";
import type { FakeImportJob } from "./import-jobs.ts";
import type { FakeModel } from "./model.ts";
import type { FakeSegment, FieldLogs } from "./records.ts";
import { Refusal } from "./refusal.ts";

type Body = Record<string, unknown>;

interface RestRequest {
  readonly path: string;
  /** `Request-Timeout`: the seconds after which the server answers 408; 30 where absent. */
  readonly timeout: string | undefined;
  /** As it came, to see whether 64-bit numbers are bare. */
  readonly text: string;
  readonly body: Body;
}

export interface FakeRest {
  readonly port: number;
  /** Every one in order, but those that ask whether REST is served at all. */
  readonly requests: readonly RestRequest[];
  readonly probes: readonly string[];
  readonly jobs: readonly FakeImportJob[];
  /** Segments that lie below a directory that is imported, for a server without a store. */
  segmentsOf: (directory: string) => readonly string[];
  /** Names of collections that are loaded: Milvus imports no L0 segments into them. */
  readonly loaded: Set<string>;
  /** `segmentInfos` as JSON text, with bare 64-bit numbers, in place of what a server that is alive knows. */
  segmentInfos: string;
  /** It is listed, and gone by the time it is described. */
  forgetWhenDescribed(jobId: string): void;
  /** Segments that compaction has taken away: a request that names one is refused as a whole. */
  readonly goneSegments: Set<string>;
  /** Answers the next request so, whatever it is. */
  answerOnce(status: number, body: string): void;
  /** The same of the next question whether REST is served at all. */
  answerProbeOnce(status: number, body: string): void;
  /** The server takes so many seconds for what it is asked under a path, of its own clock: it says 408 where the request has less. */
  takes(path: string, seconds: number): void;
  /** `proxy.http.enabled: false`: the port takes gRPC only. */
  close(): Promise<void>;
}

const probePath = "/v2/vectordb/collections/has";
const segmentsPath = "/v2/vectordb/segments/describe";

/** `proxy.http.requestTimeoutMs`, in seconds, where a request does not ask for more. */
const defaultTimeout = 30;

/** The REST v2 interface over a model (2.4+; segments/describe 2.5.8+); connections are handed to it. */
export class RestInterface {
  readonly requests: RestRequest[] = [];
  readonly goneSegments = new Set<string>();
  readonly once: { status: number; body: string }[] = [];
  readonly probes: string[] = [];
  readonly probedOnce: { status: number; body: string }[] = [];
  readonly seconds = new Map<string, number>();
  segmentInfos = "[]";
  isClosed = false;
  readonly #model: FakeModel;
  readonly #http = createServer((request, response) => void this.#handle(request, response));

  constructor(model: FakeModel) {
    this.#model = model;
  }

  take(socket: Socket): void {
    if (this.isClosed) socket.destroy();
    else this.#http.emit("connection", socket);
  }

  close(): void {
    this.isClosed = true;
    this.#http.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const { status, body } = await this.#answer(request, text);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(body);
  }

  async #answer(request: IncomingMessage, text: string): Promise<{ status: number; body: string }> {
    const path = request.url ?? "";
    if (!this.#model.rbac.admits(bearerOf(request.headers.authorization))) {
      return { status: 401, body: failure(1800, "user hasn't authenticated") };
    }
    let body: Body;
    try {
      body = parse(text || "{}", undefined, (number) => number) as Body;
    } catch {
      return { status: 200, body: failure(1801, "can only accept json format request") };
    }
    const asked = request.headers["request-timeout"];
    const timeout = typeof asked === "string" ? asked : undefined;
    this.#model.journal.push({ via: "REST", name: path, body: { ...body, "Request-Timeout": timeout ?? "" } });
    const isProbe = path === probePath;
    if (isProbe) this.probes.push(text);
    else this.requests.push({ path, timeout, text, body });
    const planned = (isProbe ? this.probedOnce : this.once).shift();
    if (planned) return planned;
    const isThere = path !== segmentsPath || this.#model.isAtLeast("2.5.8");
    const route = isThere ? this.#routes[path] : undefined;
    if (!route || request.method !== "POST") return { status: 404, body: "404 page not found" };
    let content: string;
    try {
      content = await route(body);
    } catch (error) {
      // Milvus says no with HTTP 200 and a code
      if (error instanceof Refusal) content = failure(error.code, error.message);
      else return { status: 500, body: failure(65535, String(error)) };
    }
    // It gives up waiting, not working.
    const isLate = (this.seconds.get(path) ?? 0) > Number(timeout ?? defaultTimeout);
    return isLate ? { status: 408, body: failure(10001, "request timeout") } : { status: 200, body: content };
  }

  readonly #routes: Record<string, (body: Body) => Promise<string> | string> = {
    "/v2/vectordb/jobs/import/create": async (body) => {
      const collection = required(body, "collectionName");
      const files = (body.files ?? []) as string[][];
      if (files.length === 0) throw new Refusal("missingParameters", ", error: Key: 'ImportReq.Files'");
      const { jobId } = await this.#model.jobs.create({
        database: databaseOf(body),
        collection,
        partition: String(body.partitionName ?? ""),
        files,
        options: (body.options ?? {}) as Record<string, string>,
      });
      return data({ jobId });
    },

    "/v2/vectordb/jobs/import/list": async (body) => {
      const wanted = String(body.collectionName ?? "");
      const jobs = await this.#model.jobs.lookAll(({ request }) => {
        return request.database === databaseOf(body) && (wanted === "" || request.collection === wanted);
      });
      return data({
        records: jobs.map((job) => ({
          collectionName: job.request.collection,
          jobId: job.jobId,
          progress: progressOf(job),
          state: job.state,
          ...(job.reason ? { reason: job.reason } : {}),
        })),
      });
    },

    "/v2/vectordb/jobs/import/describe": async (body) => {
      return data(description(await this.#model.jobs.look(required(body, "jobId"))));
    },

    [probePath]: (body) => {
      const database = this.#model.databases.get(databaseOf(body));
      return data({ has: database?.collections.has(required(body, "collectionName")) ?? false });
    },

    [segmentsPath]: (body) => {
      const asked = ((body.segmentIds ?? []) as string[]).map(String);
      const gone = asked.find((id) => this.goneSegments.has(id));
      if (gone !== undefined) throw new Refusal("segmentNotFound", `[segment=${gone}]`);
      if (!this.#model.alive || this.segmentInfos !== "[]")
        return `{"code":0,"data":{"segmentInfos":${this.segmentInfos}}}`;
      return data({ segmentInfos: this.#described(String(body.collectionId ?? "0"), asked) });
    },
  };

  #described(collectionId: string, asked: readonly string[]): Body[] {
    const collection = this.#model.collectionById(collectionId);
    return asked.map((id) => {
      const segment = collection?.segments.find((one) => one.id === id && one.state !== "Dropped");
      if (!segment) throw new Refusal("segmentNotFound", `[segment=${id}]`);
      return segmentInfo(collectionId, segment);
    });
  }
}

const segmentStates = { Growing: 2, Sealed: 3, Flushed: 4, Flushing: 5, Dropped: 6, Importing: 7 } as const;
const segmentLevels = { L0: 1, L1: 2, L2: 3 } as const;

function segmentInfo(collectionId: string, segment: FakeSegment): Body {
  const logs = (fields: readonly FieldLogs[]) =>
    fields.length === 0
      ? null
      : fields.map(({ fieldID, logIDs }) => ({ fieldID: bare(fieldID), logIDs: logIDs.map(bare) }));
  return {
    collectionID: bare(collectionId),
    deltaLogs: logs(segment.deltaLogs),
    insertLogs: logs(segment.insertLogs),
    isSorted: segment.isSorted,
    level: segmentLevels[segment.level],
    numRows: bare(String(segment.rows)),
    partitionID: bare(segment.partitionId),
    segmentID: bare(segment.id),
    state: segmentStates[segment.state],
    statslogs: null,
    vChannel: segment.channel,
  };
}

/** A 64-bit number as Go prints it. */
function bare(text: string): LosslessNumber {
  return new LosslessNumber(text);
}

function databaseOf({ dbName }: Body): string {
  return String(dbName ?? "") || defaultDatabase;
}

function required(body: Body, name: string): string {
  const value = String(body[name] ?? "");
  if (value === "") throw new Refusal("missingParameters", `, error: ${name} is required`);
  return value;
}

function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer (.*)$/s.exec(header ?? "")?.[1];
}

/** While a job waits or looks at its files it has no details; then there is one for each segment. */
function description(job: FakeImportJob): Body {
  const { state, jobId, request, reason, rows, fileNames, looking } = job;
  const isTold = state !== "Pending" && !(state === "Importing" && looking);
  const progress = { Pending: 0, Importing: 50, Completed: 100, Failed: 0 }[state];
  return {
    jobId,
    collectionName: request.collection,
    state,
    progress: progressOf(job),
    importedRows: state === "Completed" ? rows : 0,
    totalRows: rows,
    fileSize: 0,
    ...(reason ? { reason } : {}),
    details: isTold ? fileNames.map((fileName) => ({ fileName, fileSize: 0, progress, state })) : [],
  };
}

function data(content: Body): string {
  return stringify({ code: 0, data: content }) ?? "";
}

export function failure(code: number, message: string): string {
  return stringify({ code, message }) ?? "";
}
