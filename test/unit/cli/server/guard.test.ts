import { beforeEach, describe, expect, test } from "vitest";
import { environmentNamed, yamlText } from "../support/fake-cli.ts";
import { FakeServer } from "./fake-server.ts";

let server: FakeServer;

beforeEach(() => {
  server = new FakeServer();
});

describe("a protected environment", () => {
  beforeEach(() => {
    server.cli.environments.set("prod", environmentNamed("prod", `${yamlText}backup: { protected: true }\n`));
  });

  test("loses a backup only when it is named twice", async () => {
    const refused = await server.ask("DELETE", "/delete?backup_name=golden");
    expect(refused.body).toMatchObject({
      code: 2n,
      msg: expect.stringMatching(/^EnvironmentProtected: .*"confirm": "prod"/),
    });
    expect(server.cli.backups.keys("backup/golden/")).not.toEqual([]);

    const done = await server.ask("DELETE", "/delete?backup_name=golden&confirm=prod");
    expect(done.body).toEqual({ requestId: expect.any(String), msg: "success" });
    expect(server.cli.backups.keys("backup/golden/")).toEqual([]);
  });

  test("is restored into only when it is named twice", async () => {
    const refused = await server.ask("POST", "/restore", { backup_name: "golden", async: true });
    const done = await server.ask("POST", "/restore", { backup_name: "golden", async: true, confirm: "prod" });

    expect(refused.body).toMatchObject({ code: 2n });
    expect(done.body).not.toHaveProperty("code");
    expect(server.cli.executions.started.map(({ input }) => input.confirm)).toEqual(["prod"]);
  });
});

test("check answers what it tried, as an HTTP 500 where something is wrong", async () => {
  server.cli.milvus = undefined;

  const { status, body } = await server.ask("GET", "/check");

  expect(status).toBe(500);
  expect(body.error).toMatch(/✗ .*does not answer/);
});

describe("who may ask", () => {
  const paths = [
    ["GET", "/list"],
    ["POST", "/create"],
    ["DELETE", "/delete?backup_name=golden"],
    ["GET", "/docs"],
  ] as const;

  test.each(paths)("%s %s: with a token whoever has it, from everywhere", async (method, path) => {
    const token = "0123456789abcdef0123456789abcdef";
    server.restart({ token, host: "0.0.0.0" });
    const ask = (headers = {}) => server.ask(method, path, method === "POST" ? "[" : undefined, headers);

    expect((await ask()).status).toBe(401);
    expect((await ask({ authorization: `Bearer ${token}x` })).status).toBe(401);
    const refused = await ask({ authorization: "Basic abc" });
    expect(refused.body.error).toContain("Authorization: Bearer");
    expect((await ask({ authorization: `Bearer ${token}`, host: "backup.example.com" })).status).not.toBe(401);
    expect(JSON.stringify([server.log, server.warnings])).not.toContain(token);
  });

  test.each(paths)("%s %s: without one no page of another site", async (method, path) => {
    const ask = async (headers: Record<string, string>) =>
      (await server.ask(method, path, method === "POST" ? "[" : undefined, headers)).status;

    expect(await ask({ origin: "https://evil.example" })).toBe(403);
    expect(await ask({ origin: "null" })).toBe(403);
    expect(await ask({ "sec-fetch-site": "cross-site" })).toBe(403);
    expect(await ask({ host: "evil.example:8080", origin: "http://evil.example:8080" })).toBe(403);
    expect(server.cli.backups.keys("backup/golden/")).not.toEqual([]);
    expect(await ask({ host: "localhost:8080", origin: "http://localhost:8080" })).not.toBe(403);
  });

  test("hello is for everybody", async () => {
    server.restart({ token: "0123456789abcdef" });

    expect(await server.ask("GET", "/hello")).toMatchObject({ status: 200, text: expect.stringContaining("Hello") });
  });
});

test("docs have every request with its fields, and every answer", async () => {
  const { body } = await server.ask("GET", "/docs");

  const fields = (path: string) => body.paths[path].post.requestBody.content["application/json"].schema.properties;
  expect(Object.keys(body.paths)).toEqual(
    ["create", "get_backup", "list", "delete", "restore", "get_restore", "check", "hello"].map((name) => `/${name}`),
  );
  expect(Object.keys(fields("/restore"))).toContain("dropExistCollection");
  expect(fields("/create").async).toEqual({ type: "boolean" });
  expect(body.paths["/list"].get.responses["200"].content["application/json"].schema.properties.data).toMatchObject({
    anyOf: [{ type: "array" }, { type: "null" }],
  });
});

test("what is not there says where to look, secondary clusters what to use", async () => {
  expect(await server.ask("GET", "/nope")).toMatchObject({
    status: 404,
    body: { error: expect.stringContaining("/api/v1/docs") },
  });
  expect(await server.ask("POST", "/restore_secondary", {})).toMatchObject({
    status: 200,
    body: { code: 1n, data: null },
  });
});

test("the log has a line for each request, and nothing of its body", async () => {
  await server.ask("POST", "/restore", { backup_name: "nope", requestId: "of-the-body" });

  expect(server.log).toEqual([expect.stringMatching(/^POST \/api\/v1\/restore 200 \d+ ms code 400: .*no backup nope/)]);
});
