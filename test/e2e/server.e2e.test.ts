import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiServer, startApi } from "../support/e2e/api-server.ts";
import { configs } from "../support/e2e/cli.ts";
import { connectToServer, dropCollections, must } from "../support/e2e/milvus.ts";
import { deletePrefix } from "../support/e2e/objects.ts";
import { seedSmall } from "../support/e2e/seeds.ts";

const collections = ["api_one", "api_two"];
const names = ["api_first", "api_second"];

describe("milvus-backup's REST API over a real pipeline", async () => {
  const a = await connectToServer("milvus-a");
  let api: ApiServer;

  beforeAll(async () => {
    for (const name of names) await deletePrefix("bucket-b", `backup/${name}/`);
    await dropCollections(a, "api_");
    for (const collection of collections) await seedSmall(a, { collection }, { rows: 20 });
    api = await startApi("--config", configs.a);
  });

  afterAll(async () => {
    await api?.end("SIGKILL");
    await dropCollections(a, "api_");
    for (const name of names) await deletePrefix("bucket-b", `backup/${name}/`);
  });

  /** Asks until a task is over; what it is then. */
  async function over(path: string) {
    await expect
      .poll(async () => (await api.ask("GET", path)).data?.state_code, { timeout: 120_000, interval: 500 })
      .toBeGreaterThan(1);
    return (await api.ask("GET", path)).data;
  }

  test("two backups at once, a server that is killed in between, a restore, and the deletion of both", async () => {
    const started = await Promise.all(
      names.map((backup_name, at) =>
        api.ask("POST", "/create", { backup_name, async: true, collection_names: [collections[at]] }),
      ),
    );
    const again = await api.ask("POST", "/create", { backup_name: names[0], collection_names: ["api_nowhere"] });
    await api.end("SIGKILL");
    api = await startApi("--config", configs.a);

    const made = await Promise.all(started.map(({ requestId }) => over(`/get_backup?backup_id=${requestId}`)));
    const byName = await api.ask("GET", `/get_backup?backup_name=${names[1]}`);
    const listed = await api.ask("GET", "/list");

    expect(started.map(({ code, data }) => ({ code, data }))).toEqual([{ data: null }, { data: null }]);
    expect(again).toMatchObject({ code: 400, msg: expect.stringContaining("api_nowhere") });
    expect(made).toMatchObject(
      names.map((name, at) => ({
        ...{ name, state_code: 2, progress: 100, id: started[at]?.requestId },
        collection_backups: [{ collection_name: collections[at], db_name: "default" }],
      })),
    );
    expect(byName.data.collection_backups).toEqual(made[1].collection_backups);
    expect(listed.data.map(({ name }: { name: string }) => name)).toEqual(expect.arrayContaining(names));

    const restore = { backup_name: names[0], collection_suffix: "_bak", restoreIndex: true };
    const restoring = await api.ask("POST", "/restore", { ...restore, async: true, id: `api-${Date.now()}` });
    const restored = await over(`/get_restore?id=${restoring.data.id}`);
    const taken = await api.ask("POST", "/restore", restore);

    expect(restored).toMatchObject({
      ...{ state_code: 2, progress: 100, start_time: expect.any(Number), end_time: expect.any(Number) },
      collection_restore_tasks: [{ state_code: 2, target_db_name: "default", target_collection_name: "api_one_bak" }],
    });
    const statistics = await must(a.getCollectionStatistics({ collection_name: "api_one_bak" }));
    expect(statistics.data.row_count).toBe("20");
    expect(taken).toMatchObject({ code: 3, msg: expect.stringMatching(/^TargetExists: /), data: null });

    for (const name of names) {
      expect(await api.ask("DELETE", `/delete?backup_name=${name}`)).toMatchObject({ msg: "success" });
      expect(await api.ask("GET", `/get_backup?backup_name=${name}`)).toMatchObject({ code: 404, data: null });
    }
    expect(await api.end("SIGTERM")).toBe(0);
  });
});
