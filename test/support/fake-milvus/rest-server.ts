import { parse, stringify } from "lossless-json";
import { listen } from "./http.ts";

type Body = Record<string, unknown>;

interface RestRequest {
  readonly path: string;
  /** `Request-Timeout`: the seconds after which the server answers 408; 30 where absent. */
  readonly timeout: string | undefined;
  /** As it came, to see whether 64-bit numbers are bare. */
  readonly text: string;
  readonly body: Body;
}

interface FakeImportJob {
  readonly jobId: string;
  readonly request: Body;
  /** Segments below each directory: how Milvus breaks a job up. */
  readonly segmentsOf: (directory: string) => readonly string[];
  state: "Pending" | "Importing" | "Completed" | "Failed";
  reason: string;
  rows: number;
}

export interface FakeRest {
  readonly port: number;
  readonly requests: readonly RestRequest[];
  readonly jobs: readonly FakeImportJob[];
  /** Segments that lie below a directory that is imported. */
  segmentsOf: (directory: string) => readonly string[];
  /** Names of collections that are loaded: Milvus imports no L0 segments into them. */
  readonly loaded: Set<string>;
  /** `segmentInfos` as JSON text: with bare 64-bit numbers. */
  segmentInfos: string;
  /** It is listed, and gone by the time it is described. */
  forgetWhenDescribed(jobId: string): void;
  /** Segments that compaction has taken away: a request that names one is refused as a whole. */
  readonly goneSegments: Set<string>;
  /** Answers the next request so, whatever it is. */
  answerOnce(status: number, body: string): void;
  close(): Promise<void>;
}

const firstJob = 453_240_863_839_750_922n;

/** The REST v2 interface of a Milvus proxy (2.4+; segments/describe 2.5.8+). */
export async function startFakeRest(credentials: string | undefined): Promise<FakeRest> {
  const jobs: FakeImportJob[] = [];
  const requests: RestRequest[] = [];
  const once: { status: number; body: string }[] = [];
  const forgotten = new Set<unknown>();

  const routes: Record<string, (body: Body) => string> = {
    "/v2/vectordb/jobs/import/create": (body) => {
      const refusal = refusalOf(body, fake);
      if (refusal !== undefined) return failure(2100, `importing data failed: ${refusal}`);
      const jobId = String(firstJob + BigInt(jobs.length));
      const { segmentsOf } = fake;
      jobs.push({ jobId, request: body, segmentsOf, state: "Pending", reason: "", rows: 0 });
      return data({ jobId });
    },
    "/v2/vectordb/jobs/import/list": ({ collectionName }) =>
      data({
        records: jobs
          .filter(({ request }) => request.collectionName === collectionName)
          .map(({ jobId, state, request }) => ({ collectionName: request.collectionName, jobId, progress: 0, state })),
      }),
    "/v2/vectordb/jobs/import/describe": ({ jobId }) => {
      const job = jobs.find((candidate) => candidate.jobId === jobId && !forgotten.has(jobId));
      return job ? data(description(job)) : failure(2100, `import job does not exist, jobID=${jobId}`);
    },
    "/v2/vectordb/segments/describe": ({ segmentIds }) => {
      const gone = (segmentIds as string[]).find((id) => fake.goneSegments.has(id));
      if (gone !== undefined) return failure(600, `segment not found[segment=${gone}]`);
      return `{"code":0,"data":{"segmentInfos":${fake.segmentInfos}}}`;
    },
  };

  const listener = await listen((request, text, response) => {
    const path = request.url ?? "";
    const answer = (status: number, body: string) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(body);
    };
    if (credentials !== undefined && request.headers.authorization !== `Bearer ${credentials}`) {
      return answer(401, failure(1800, "user hasn't authenticated"));
    }
    const body = parse(text, undefined, (number) => number) as Body;
    const timeout = request.headers["request-timeout"];
    requests.push({ path, timeout: typeof timeout === "string" ? timeout : undefined, text, body });
    const planned = once.shift();
    if (planned) return answer(planned.status, planned.body);
    const route = routes[path];
    // Milvus says no with HTTP 200 and a code
    return route ? answer(200, route(body)) : answer(404, "404 page not found");
  });

  const fake: FakeRest = {
    port: listener.port,
    requests,
    jobs,
    segmentsOf: () => [],
    loaded: new Set(),
    segmentInfos: "[]",
    forgetWhenDescribed: (jobId) => void forgotten.add(jobId),
    goneSegments: new Set(),
    answerOnce: (status, body) => once.push({ status, body }),
    close: () => listener.close(),
  };
  return fake;
}

/** `dataCoord.import.maxImportFileNumPerReq` */
const mostFiles = 1024;

/** Why Milvus takes no such job; what it counts is what it finds below the directories. */
function refusalOf({ collectionName, files, options }: Body, { loaded, segmentsOf }: FakeRest): string | undefined {
  if ((options as Body).l0_import === "true") {
    return loaded.has(String(collectionName))
      ? "for l0 import, collection cannot be loaded, please release it first"
      : undefined;
  }
  const count = (files as string[][]).flatMap(([insert = ""]) => segmentsOf(insert)).length;
  return count > mostFiles
    ? `The max number of import files should not exceed ${mostFiles}, but got ${count}`
    : undefined;
}

/** While a job waits it has no details; then there is one for each segment, its paths as Go prints a list. */
function description(job: FakeImportJob): Body {
  const { state, jobId, request, reason, rows } = job;
  const files = request.files as string[][];
  const levelZero = (request.options as Body).l0_import === "true";
  const names = levelZero
    ? files.map((paths) => `[${paths.join(" ")}]`)
    : files.flatMap(([insert = "", delta]) =>
        job.segmentsOf(insert).map((segment) => `[${insert}${segment}/${delta ? ` ${delta}${segment}/` : ""}]`),
      );
  return {
    jobId,
    collectionName: request.collectionName,
    state,
    progress: { Pending: 0, Importing: 50, Completed: 100, Failed: 0 }[state],
    importedRows: state === "Completed" ? rows : 0,
    totalRows: rows,
    fileSize: 0,
    ...(reason ? { reason } : {}),
    details: state === "Pending" ? [] : names.map((fileName) => ({ fileName, fileSize: 0, progress: 100, state })),
  };
}

function data(content: Body): string {
  return stringify({ code: 0, data: content }) ?? "";
}

export function failure(code: number, message: string): string {
  return stringify({ code, message }) ?? "";
}
