import { expect, test } from "vitest";
import { aroundCalls } from "../../../support/around-calls.ts";
import { addOld, backedUpShop, replacing as input } from "../../../support/replaced-books.ts";
import { executionOf, runRestore } from "../../../support/run-machines.ts";

test("the Lambda of an execution that was stopped drops nothing that the same restore has filled since", async () => {
  const world = await backedUpShop();
  const milvus = world.milvus("dr");
  let begun = false;
  const one = runRestore(
    aroundCalls(world.context(), async (call, args, make) => {
      const working = JSON.stringify(args[0] ?? "").includes("_restoring_");
      if (call === "hasCollection" && working && !begun) {
        begun = true;
        await runRestore(world.context(), input, executionOf("two"), {
          after: (step) => {
            if (step === "import") throw new Error("pause");
          },
        }).catch(() => undefined);
      }
      return make();
    }),
    input,
    executionOf("one"),
    {
      after: (step) => {
        if (step === "recreate") throw new Error("stopped");
      },
    },
  );
  await one.catch(() => undefined);

  expect(begun).toBe(true);
  const [working = ""] = (await milvus.listCollections("default")).filter((name) => name.includes("_restoring_"));
  expect(await milvus.rowCount({ database: "default", collection: working })).toBe(32n);
});

test("a whole restore after one of metadata alone that was named and not finished says what to do", async () => {
  const world = await backedUpShop();
  const milvus = world.milvus("dr");
  addOld(world, {});
  milvus.fail("load", new Error("no memory"), { times: 1 });
  await runRestore(world.context(), { ...input, metadataOnly: true, keepReplaced: true }, executionOf("one")).catch(
    () => undefined,
  );

  const whole = await runRestore(world.context(), input, executionOf("two")).catch((error: unknown) => error);
  expect(whole).toMatchObject({
    name: "InvalidInput",
    message: expect.stringContaining("metadata only or what is left out): start it as it was"),
  });
  const asItWas = { ...input, metadataOnly: true, keepReplaced: true };
  expect(await runRestore(world.context(), asItWas, executionOf("three"))).toMatchObject({ outcome: "restored" });
  expect(await runRestore(world.context(), input, executionOf("four"))).toMatchObject({ outcome: "restored" });
});
