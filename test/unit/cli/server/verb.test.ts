import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { environmentNamed, FakeCli } from "../support/fake-cli.ts";

let cli: FakeCli;
let folder: string;

beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
  folder = mkdtempSync(join(tmpdir(), "milvus-backup-server-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("it listens until Ctrl-C, and says where", async () => {
  let url = "";
  const running = cli.run("--environment", "prod", "--json", "server", "--port", "0");
  await expect.poll(() => cli.stdout, { timeout: 20_000 }).toContain("url");
  ({ url } = JSON.parse(cli.stdout));

  const hello = await fetch(`${url}/hello`);
  const list = await fetch(`${url}/list`);
  const rebound = await fetch(`${url}/list`, { headers: { origin: "http://evil.example" } });
  cli.interrupt();
  const { code, stderr } = await running;

  expect([hello.status, list.status, rebound.status]).toEqual([200, 200, 403]);
  expect(await list.json()).toEqual({ data: [] });
  expect(code).toBe(0);
  expect(stderr).toMatch(/GET \/api\/v1\/list 200/);
  await expect(fetch(`${url}/hello`)).rejects.toThrow();
});

test("a token is taken from a file or the environment, and shown nowhere", async () => {
  const token = "0123456789abcdef0123456789abcdef";
  const file = join(folder, "token");
  writeFileSync(file, `${token}\n`);
  const running = cli.run(
    "--environment",
    "prod",
    "--json",
    "server",
    "-p",
    "0",
    "--host",
    "0.0.0.0",
    "--token-file",
    file,
  );
  await expect.poll(() => cli.stdout, { timeout: 20_000 }).toContain("url");
  const { url, token: asked } = JSON.parse(cli.stdout);

  const [without, withIt] = await Promise.all([
    fetch(`${url}/list`),
    fetch(`${url}/list`, { headers: { authorization: `Bearer ${token}` } }),
  ]);
  cli.interrupt();
  const { stdout, stderr } = await running;

  expect(asked).toBe(true);
  expect([without.status, withIt.status]).toEqual([401, 200]);
  expect(stdout + stderr).not.toContain(token);
});

test.each([
  [["--port", "http"], '--port: "http" is no port'],
  [["--port", "70000"], "0 to 65535"],
  [["--host", "0.0.0.0"], "--host 0.0.0.0: whoever reaches it could restore and delete; add --token-file"],
  [["--token-file", "nowhere"], "--token-file nowhere cannot be read (ENOENT)"],
  [["--port", "0", "--host", "192.0.2.1", "--no-token"], "--host: 192.0.2.1 is no address of this machine"],
])("%j is refused", async (options, message) => {
  const { code, stderr } = await cli.run("--environment", "prod", "server", ...options);

  expect(code).toBe(1);
  expect(stderr).toContain(message);
});

test("a token that somebody guesses is refused, and not repeated", async () => {
  cli.env = { MILVUS_BACKUP_SERVER_TOKEN: "hunter2" };

  const { code, stderr } = await cli.run("--environment", "prod", "server");

  expect(code).toBe(1);
  expect(stderr).toContain("MILVUS_BACKUP_SERVER_TOKEN: a token has 16 characters or more");
  expect(stderr).not.toContain("hunter2");
});

test("a port that is taken, an environment and a pipeline that are not there are told at once", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;

  const taken = await cli.run("--environment", "prod", "server", "--port", String(port));
  other.close();
  const unknown = await cli.run("--environment", "nope", "server", "--port", "0");
  cli.outputs = undefined;
  const nothing = await cli.run("--environment", "prod", "server", "--port", "0");

  expect(taken.stderr).toContain(`something listens on 127.0.0.1:${port} already`);
  expect(unknown.stderr).toContain("Error (UnknownEnvironment)");
  expect(nothing.stderr).toContain("Error (PipelineNotDeployed)");
});
