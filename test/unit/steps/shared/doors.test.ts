import { beforeEach, describe, expect, test } from "vitest";
import type { RestoreInput } from "../../../../src/core/execution/messages.ts";
import { prepareExport } from "../../../../src/steps/export/prepare-export.ts";
import { prepareTransfer } from "../../../../src/steps/transfer/prepare-transfer.ts";
import { prepareVerify } from "../../../../src/steps/verify/prepare-verify.ts";
import { backedUpWorld, runDrill } from "../../../support/drill-world.ts";
import type { PipelineWorld } from "../../../support/pipeline-world.ts";
import { executionOf, runBackup, runRestore } from "../../../support/run-machines.ts";

let world: PipelineWorld;
beforeEach(async () => {
  world = await backedUpWorld();
});

const restore = (rest: Partial<RestoreInput> = {}) =>
  runRestore(
    world.context(),
    { environment: "dr", backupName: "nightly", collections: ["books"], suffix: "_bak", ...rest },
    executionOf("restore-1"),
  );
const drill = (rest: { confirm?: string } = {}) =>
  runDrill(world, { environment: "dr", backupName: "nightly", ...rest });
const madeInDr = () => world.milvus("dr").listCollections("default");

describe("a protected environment", () => {
  beforeEach(() => world.environments.register({ ...world.environment("dr"), protected: true }));

  test.each([
    ["a restore", () => restore()],
    ["one that replaces", () => restore({ dropExisting: true, suffix: "" })],
    ["one of a trigger", () => restore({ trigger: "standby" })],
    ["a discard", () => restore({ discard: true })],
    ["a drill", () => drill()],
  ])("refuses %s, and names the key; nothing is made, staged or held", async (_, run) => {
    const before = world.bucket("bucket-b").keys("");
    const error = await run().catch((thrown: unknown) => thrown);

    expect(String(error)).toMatch(
      /EnvironmentProtected.*environment dr is protected \(backup\.protected .*"confirm": "dr"/s,
    );
    expect(await madeInDr()).toEqual([]);
    expect(world.bucket("bucket-b").keys("")).toEqual(before);
  });

  test("takes a restore and a drill that name it twice", async () => {
    expect(await restore({ confirm: "dr" })).toMatchObject({ outcome: "restored" });
    expect(await drill({ confirm: "dr" })).toMatchObject({ outcome: "drilled" });
  });

  test("is not meant by another name", async () => {
    const error = await restore({ confirm: "prod" }).catch((thrown: unknown) => thrown);

    expect(String(error)).toMatch(/InvalidInput.*confirm names prod, and this is about environment dr/s);
  });

  test("refuses nothing else: backups of it are made", async () => {
    world.environments.register({ ...world.environment("prod"), protected: true });

    expect(
      await runBackup(world.context(), { environment: "prod", backupName: "another" }, executionOf("backup-2")),
    ).toMatchObject({
      outcome: "backed-up",
    });
  });
});

describe("allowedEnvironments of the deployment", () => {
  const request = <T>(input: T) => ({ execution: executionOf("e-1"), input, attempt: 0 });
  const exported = { environment: "dr", toEnvironment: "prod", backupName: "nightly", destination: "s3://exports/a" };
  const machines: readonly [string, string, () => Promise<unknown>][] = [
    [
      "backup",
      "backup",
      () => runBackup(world.context(), { environment: "prod", backupName: "another" }, executionOf("backup-2")),
    ],
    ["restore", "restore", () => restore()],
    ["restore", "read", () => restore()],
    ["drill", "restore", () => drill()],
    ["drill", "read", () => drill()],
    [
      "transfer",
      "transfer",
      () => prepareTransfer(request({ backupName: "nightly", from: "prod", to: "dr" }), world.context()),
    ],
    [
      "transfer",
      "read",
      () => prepareTransfer(request({ backupName: "nightly", from: "prod", to: "dr" }), world.context()),
    ],
    ["export", "read", () => prepareExport(request(exported), world.context())],
    ["export", "transfer", () => prepareExport(request(exported), world.context())],
    ["verify", "read", () => prepareVerify(request({ environment: "dr", backupName: "nightly" }), world.context())],
  ];

  test.each(machines)("an execution of %s is refused by the list %s", async (_, use, run) => {
    world.allowed = { [use]: ["elsewhere"] };

    const error = await run().catch((thrown: unknown) => thrown);

    expect(String(error)).toMatch(
      new RegExp(
        `EnvironmentNotAllowed.*is not among allowedEnvironments\\.${use} of this deployment.*has: elsewhere`,
        "s",
      ),
    );
  });

  test("what is listed goes on", async () => {
    world.allowed = { backup: ["prod"], restore: ["dr"], read: ["dr"] };

    expect(await restore()).toMatchObject({ outcome: "restored" });
  });
});
