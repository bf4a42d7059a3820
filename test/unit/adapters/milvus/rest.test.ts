import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { garbageCollection } from "../../../../src/adapters/milvus/garbage-collection.ts";
import { closeMilvusConnections, connectMilvus } from "../../../../src/adapters/milvus/index.ts";
import type { PipelineError } from "../../../../src/core/execution/errors.ts";
import type { ImportRequest, Milvus } from "../../../../src/ports/milvus.ts";
import { listen } from "../../../support/fake-milvus/http.ts";
import { type FakeMilvus, startFakeMilvus } from "../../../support/fake-milvus/index.ts";
import { failure } from "../../../support/fake-milvus/rest-server.ts";
import { milvusEnvironment } from "../../../support/milvus-environment.ts";

const name = { database: "shop", collection: "coll" };
const request: ImportRequest = {
  name,
  partition: "p1",
  kind: "segments",
  storageVersion: "0",
  files: [
    { insert: "stage/insert_log/1/2/", delta: "stage/delta_log/1/2/" },
    { insert: "stage/insert_log/1/3/", delta: "" },
  ],
};

describe("the REST interface of Milvus 2.4 and newer", () => {
  let fake: FakeMilvus;
  let milvus: Milvus;

  async function start(version: string, options: { tickets?: boolean } = {}): Promise<void> {
    fake = await startFakeMilvus({ version, user: "root", password: "Milvus", ...options });
    milvus = await connectMilvus(
      milvusEnvironment(fake.grpc.port, {
        milvus: { user: "root", password: "Milvus" },
        managementPort: fake.management.port,
      }),
    );
  }
  beforeEach(() => start("v2.5.8"));
  afterEach(async () => {
    closeMilvusConnections();
    await fake.close();
  });

  describe("import jobs", () => {
    it("submits pairs of directories, in the words of the documentation", async () => {
      const id = await milvus.submitImport(request);

      expect(fake.rest.requests).toMatchObject([
        {
          path: "/v2/vectordb/jobs/import/create",
          body: {
            dbName: "shop",
            collectionName: "coll",
            partitionName: "p1",
            files: [["stage/insert_log/1/2/", "stage/delta_log/1/2/"], ["stage/insert_log/1/3/"]],
            options: { backup: "true", skip_disk_quota_check: "true" },
          },
        },
      ]);
      expect(id).toBe(fake.rest.jobs[0]?.jobId);
    });

    it("gives the server minutes to look at every directory, where it gives itself 30 s", async () => {
      await milvus.submitImport(request);
      await milvus.listImports(name);

      expect(fake.rest.requests.map(({ timeout }) => timeout)).toEqual(["300", "60", "60"]);
    });

    it("is refused deletes for a loaded collection, and more segments than Milvus takes, with its reason", async () => {
      fake.rest.loaded.add(name.collection);
      fake.rest.segmentsOf = () => Array.from({ length: 513 }, (_, index) => `${index}`);
      const files = [{ insert: "", delta: "stage/delta_log/1/-1/9/" }];

      await expect(milvus.submitImport({ ...request, kind: "l0", partition: "", files })).rejects.toMatchObject({
        name: "MilvusFailed",
        message: expect.stringContaining("collection cannot be loaded, please release it first"),
      });
      await expect(milvus.submitImport(request)).rejects.toThrow("should not exceed 1024, but got 1026");
      expect(fake.rest.jobs).toEqual([]);
    });

    it("imports L0 segments by their delta directory alone, into every partition", async () => {
      const files = [{ insert: "", delta: "stage/delta_log/1/-1/9/" }];

      await milvus.submitImport({ ...request, kind: "l0", partition: "", files });

      const [{ body } = { body: {} }] = fake.rest.requests;
      expect(body).toEqual({
        dbName: "shop",
        collectionName: "coll",
        files: [["stage/delta_log/1/-1/9/"]],
        options: { l0_import: "true", skip_disk_quota_check: "true" },
      });
    });

    it("says the storage version where there is one", async () => {
      await milvus.submitImport({ ...request, storageVersion: "2" });

      expect(fake.rest.requests[0]?.body.options).toMatchObject({ storage_version: "2" });
    });

    it("tells the end in milliseconds, or as a hybrid timestamp where the server wants that", async () => {
      const timestamp = "470616978630901767";

      await milvus.submitImport({ ...request, end: { timestamp } });
      await milvus.submitImport({ ...request, end: { timestamp, unit: "hybrid" } });

      expect(fake.rest.requests.map(({ body }) => body.options)).toMatchObject([
        { end_ts: "1795261301540" },
        { end_ts: timestamp },
      ]);
    });

    it("lists the jobs of a collection with the directories they were submitted with", async () => {
      fake.rest.segmentsOf = (directory) => (directory.endsWith("/2/") ? ["470615367219150900"] : ["11", "12"]);
      await milvus.submitImport(request);
      await milvus.submitImport({ ...request, name: { ...name, collection: "other" } });
      const [job] = fake.rest.jobs;
      if (!job) throw new Error("no job");
      job.state = "Completed";
      job.rows = 296;

      const imports = await milvus.listImports(name);

      expect(imports).toEqual([
        {
          id: job.jobId,
          state: "completed",
          progress: 100,
          rows: 296n,
          failedReason: "",
          partition: "",
          files: request.files,
        },
      ]);
    });

    it("leaves out a job that the server forgets between listing and describing it", async () => {
      const [gone, there] = [await milvus.submitImport(request), await milvus.submitImport(request)];
      fake.rest.forgetWhenDescribed(gone);

      expect((await milvus.listImports(name)).map(({ id }) => id)).toEqual([there]);
    });

    it("asks nothing about jobs that are settled", async () => {
      const [done, open] = [await milvus.submitImport(request), await milvus.submitImport(request)];

      const listed = await milvus.listImports(name, { settled: new Set([done]) });
      expect(listed.map(({ id }) => id)).toEqual([open]);

      const described = fake.rest.requests.filter(({ path }) => path.endsWith("/describe"));
      expect(described.map(({ body }) => body.jobId)).toEqual([open]);
    });

    it("knows no directories of a job that waits yet", async () => {
      await milvus.submitImport(request);

      expect(await milvus.listImports(name)).toMatchObject([{ state: "pending", files: [] }]);
    });

    it("tells an L0 job from one with segments", async () => {
      const files = [{ insert: "", delta: "stage/delta_log/1/-1/9/" }];
      await milvus.submitImport({ ...request, kind: "l0", partition: "", files });
      for (const job of fake.rest.jobs) job.state = "Importing";

      expect(await milvus.listImports(name)).toMatchObject([{ state: "importing", progress: 50, files }]);
    });

    it("looks at own jobs only where nothing is searched for, and tells of the others whether they run", async () => {
      const own = await milvus.submitImport(request);
      const other = await milvus.submitImport({ ...request, partition: "p2" });
      const failed = await milvus.submitImport({ ...request, partition: "p3" });
      const [, second, third] = fake.rest.jobs;
      Object.assign(second ?? {}, { state: "Importing" });
      Object.assign(third ?? {}, { state: "Failed" });
      fake.rest.segmentsOf = () => ["11"];

      const described = () =>
        fake.rest.requests.filter(({ path }) => path.endsWith("/describe")).map(({ body }) => body.jobId);
      expect(await milvus.listImports(name, { own: new Set([own]), others: "states" })).toMatchObject([
        { id: own, state: "pending" },
        { id: other, state: "importing", files: [] },
        { id: failed, state: "failed" },
      ]);
      expect(described()).toEqual([own]);

      // what failed is never the one that is searched for, and the own one is as it was
      await milvus.listImports(name, { own: new Set([own]), others: "files" });
      expect(described().slice(1)).toEqual([other]);
    });

    it("describes a job that runs again only when the list says something new of it", async () => {
      const own = new Set([await milvus.submitImport(request), await milvus.submitImport(request)]);
      const [job] = fake.rest.jobs;
      const look = async () => {
        const from = fake.rest.requests.length;
        const tasks = await milvus.listImports(name, { own, others: "states" });
        const asked = fake.rest.requests.slice(from).filter(({ path }) => path.endsWith("/describe"));
        return { tasks, described: asked.map(({ body }) => body.jobId) };
      };
      expect((await look()).described).toEqual([...own]);
      expect(await look()).toMatchObject({ described: [], tasks: [{ state: "pending" }, { state: "pending" }] });

      Object.assign(job ?? {}, { state: "Importing" });
      expect((await look()).described).toEqual([job?.jobId]);
      expect(await look()).toMatchObject({ described: [], tasks: [{ state: "importing", progress: 50 }, {}] });

      Object.assign(job ?? {}, { state: "Completed", rows: 12 });
      for (const _ of ["once", "again"]) {
        expect(await look()).toMatchObject({ described: [job?.jobId], tasks: [{ rows: 12n }, { state: "pending" }] });
      }
    });

    it("describes a job of nobody's whenever it is asked for: one that begins may name a part of what it reads", async () => {
      fake.rest.segmentsOf = () => ["11"];
      await milvus.submitImport(request);
      const [job] = fake.rest.jobs;
      Object.assign(job ?? {}, { state: "Importing", looking: true });
      expect(await milvus.listImports(name)).toMatchObject([{ state: "importing", files: [] }]);

      Object.assign(job ?? {}, { looking: false });
      for (const _ of ["once", "again"]) expect(await milvus.listImports(name)).toMatchObject([{ files: [{}, {}] }]);

      expect(fake.rest.requests.filter(({ path }) => path.endsWith("/describe"))).toHaveLength(3);
    });

    it("gives Milvus's reason of a failed job", async () => {
      const own = new Set([await milvus.submitImport(request)]);
      for (const job of fake.rest.jobs) Object.assign(job, { state: "Failed", reason: "the field 103 has no binlog" });

      expect(await milvus.listImports(name, { own })).toMatchObject([
        { state: "failed", failedReason: "the field 103 has no binlog" },
      ]);
    });

    it.each<[number, string, boolean]>([
      [408, `{"code":10001,"message":"request timeout"}`, true],
      [200, failure(10000, "context canceled"), true],
      [200, failure(10001, "context deadline exceeded"), true],
      [200, failure(2, "service unavailable: data coord"), true],
      [502, "bad gateway", true],
      [200, failure(1, "service not ready: proxy"), false],
      [200, failure(1003, "too many requests"), false],
      [200, failure(2100, "The number of jobs has reached the limit, please try again later"), false],
      [200, failure(2100, "the field 103 has no binlog"), false],
      [429, "", false],
    ])("HTTP %i with %s: may have begun? %s", async (status, body, mayHaveBegun) => {
      fake.rest.answerOnce(status, body);

      const failed = await milvus.submitImport(request).catch((error: unknown) => error);
      expect((failed as PipelineError).details.mayHaveBegun).toBe(mayHaveBegun);
    });

    it.each([
      [200, failure(100, "collection not found"), "CollectionNotFound"],
      // success on some 2.4 releases, but with data
      [200, failure(200, "partition not found[partition=p1]"), "MilvusFailed"],
      [200, failure(8, "rate limit exceeded"), "MilvusBusy"],
      [200, failure(2100, "the max number of files is 1024"), "MilvusFailed"],
      // whether it was made is to be looked at
      [200, "<html>a load balancer</html>", "MilvusBusy"],
      [200, `{"code":0,"data":{}}`, "MilvusBusy"],
      [200, failure(2100, "The number of jobs has reached the limit, please try again later"), "MilvusBusy"],
      [200, failure(10001, "timeout"), "MilvusBusy"],
      [408, `{"code":10001,"message":"request timeout"}`, "MilvusBusy"],
      [503, "", "MilvusBusy"],
      [429, "", "MilvusBusy"],
      [401, failure(1800, "user hasn't authenticated"), "MilvusUnauthenticated"],
    ])("HTTP %i with %s is %s", async (status, body, error) => {
      fake.rest.answerOnce(status, body);

      await expect(milvus.submitImport(request)).rejects.toMatchObject({ name: error });
    });

    it("takes a code of 200 with data for success, as some 2.4 releases mean it", async () => {
      fake.rest.answerOnce(200, `{"code":200,"data":{"jobId":"7"}}`);

      expect(await milvus.submitImport(request)).toBe("7");
    });
  });

  describe("the logs of segments", () => {
    it("keeps every digit of 64-bit IDs, in the request and in the answer", async () => {
      fake.rest.segmentInfos = `[{"collectionID":470615367219150891,"segmentID":470615367219150907,"vChannel":"ch_0v0",
        "insertLogs":[{"fieldID":100,"logIDs":[470615367219350967,470615367219350969]},{"fieldID":0,"logIDs":[1]}],
        "deltaLogs":[{"fieldID":0,"logIDs":[470615367219351039]}],"level":1,"numRows":57,"isSorted":true},
        {"segmentID":470615367219150909,"vChannel":"ch_0v0","insertLogs":null}]`;

      const logs = await milvus.describeSegmentLogs(name, "470615367219150891", [
        "470615367219150907",
        "470615367219150909",
      ]);

      expect(fake.rest.requests[0]?.text).toBe(
        `{"dbName":"shop","collectionId":470615367219150891,"segmentIds":[470615367219150907,470615367219150909]}`,
      );
      expect(logs).toEqual([
        {
          segmentId: "470615367219150907",
          virtualChannel: "ch_0v0",
          insertLogs: [
            { fieldId: "100", logIds: ["470615367219350967", "470615367219350969"] },
            { fieldId: "0", logIds: ["1"] },
          ],
          deltaLogs: [{ fieldId: "0", logIds: ["470615367219351039"] }],
        },
        { segmentId: "470615367219150909", virtualChannel: "ch_0v0", insertLogs: [], deltaLogs: [] },
      ]);
    });

    it("asks for many segments in several requests", async () => {
      const ids = Array.from({ length: 250 }, (_, index) => String(index + 1));

      await milvus.describeSegmentLogs(name, "1", ids);

      expect(fake.rest.requests.flatMap(({ body }) => body.segmentIds)).toEqual(ids);
      expect(fake.rest.requests).toHaveLength(3);
    });

    it("leaves out segments that are gone, of which one makes the server refuse them all", async () => {
      const ids = Array.from({ length: 100 }, (_, index) => String(index + 1));
      fake.rest.goneSegments.add("7").add("64");

      await milvus.describeSegmentLogs(name, "1", ids);

      const answered = fake.rest.requests
        .map(({ body }) => body.segmentIds as string[])
        .filter((asked) => !asked.some((id) => fake.rest.goneSegments.has(id)));
      expect(answered.flat()).toEqual(ids.filter((id) => !fake.rest.goneSegments.has(id)));
      expect(fake.rest.requests.length).toBeLessThan(30);
    });

    it.each([
      ["is closed", () => fake.rest.close()],
      [
        "is an ingress with codes of its own",
        () => fake.rest.answerProbeOnce(404, `{"code":404,"message":"no route"}`),
      ],
      ["is something else's", () => fake.rest.answerProbeOnce(404, "404 page not found")],
    ])("cannot be told where the REST interface %s, while gRPC answers: found out once", async (_, away) => {
      await away();

      expect(await milvus.describeSegmentLogs(name, "1", ["2"])).toBeUndefined();
      expect(await milvus.describeSegmentLogs(name, "1", ["2"])).toBeUndefined();
      expect(fake.rest.probes.length).toBeLessThan(2);
    });

    it("are told where a proxy was away for a moment", async () => {
      fake.rest.answerProbeOnce(503, "");

      expect(await milvus.describeSegmentLogs(name, "1", ["2"])).toEqual([]);
      expect(fake.rest.probes).toHaveLength(2);
    });

    it("are an error where the REST interface answered before", async () => {
      await milvus.describeSegmentLogs(name, "1", ["2"]);
      fake.rest.answerOnce(503, "");

      await expect(milvus.describeSegmentLogs(name, "1", ["2"])).rejects.toMatchObject({ name: "MilvusBusy" });
    });

    it("cannot be told before 2.5.8", async () => {
      closeMilvusConnections();
      await fake.close();
      await start("v2.5.7");

      expect(await milvus.describeSegmentLogs(name, "1", ["2"])).toBeUndefined();
      expect(fake.rest.requests).toEqual([]);
    });
  });

  describe("garbage collection", () => {
    it("is paused for so many seconds and resumed", async () => {
      const pause = await milvus.pauseGarbageCollection(3600);
      expect([...fake.management.pauses]).toEqual([["", 3600]]);

      expect(pause).toEqual({ ticket: "" });
      await milvus.resumeGarbageCollection({ ticket: "" });
      expect(fake.management.pauses.size).toBe(0);
    });

    it("is resumed with the ticket of its pause", async () => {
      closeMilvusConnections();
      await fake.close();
      await start("v2.6.8", { tickets: true });

      const pause = await milvus.pauseGarbageCollection(60);
      expect(pause?.ticket).toMatch(/.+/);
      await expect(milvus.resumeGarbageCollection({ ticket: "another" })).rejects.toMatchObject({
        name: "MilvusFailed",
      });
      await milvus.resumeGarbageCollection(pause ?? { ticket: "" });

      expect(fake.management.pauses.size).toBe(0);
      expect(fake.management.requests[0]?.query).toEqual({ pause_seconds: "60", collection_id: "0" });
      // one that has run out, or was ended before
      await milvus.resumeGarbageCollection(pause ?? { ticket: "" });
    });

    it("is paused without a Milvus client, and longer by a later pause", async () => {
      const collection = garbageCollection(milvusEnvironment(fake.grpc.port, { managementPort: fake.management.port }));

      expect(await collection.pause(60)).toEqual({ ticket: "" });
      await collection.pause(3600);

      expect([...fake.management.pauses]).toEqual([["", 3600]]);
    });

    it.each<[string, (asked: number, response: ServerResponse) => void, boolean]>([
      [
        "a server that collects nothing has nothing to resume",
        (_, response) => {
          response.writeHead(500);
          response.end('{"msg": "failed to resume garbage collection, garbage collection not enabled"}');
        },
        true,
      ],
      [
        "a connection that breaks is tried again",
        (asked, response) => {
          if (asked === 1) response.destroy();
          else response.end('{"msg": "OK"}');
        },
        true,
      ],
      [
        "a refusal is an error",
        (_, response) => {
          response.writeHead(500);
          response.end('{"msg": "failed to resume garbage collection, no coordinator"}');
        },
        false,
      ],
    ])("%s", async (_, answer, isFine) => {
      let asked = 0;
      const management = await listen((_request, _body, response) => {
        asked += 1;
        answer(asked, response);
      });
      const collection = garbageCollection(milvusEnvironment(1, { managementPort: management.port }));

      const outcome = await collection.resume({ ticket: "" }).then(
        () => true,
        (error: unknown) => error,
      );
      await management.close();

      if (isFine) expect(outcome).toBe(true);
      else expect(outcome).toMatchObject({ name: "MilvusFailed", message: expect.stringContaining("no coordinator") });
    });

    it("names the key where the management port cannot be reached", async () => {
      await fake.management.close();

      await expect(milvus.pauseGarbageCollection(60)).rejects.toMatchObject({
        name: "MilvusUnreachable",
        message: expect.stringContaining("backup.gcPause.address"),
      });
    });
  });
});
