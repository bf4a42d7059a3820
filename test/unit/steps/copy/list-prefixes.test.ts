import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commonDirectory, listPrefixes } from "../../../../src/steps/copy/list-prefixes.ts";
import { MemoryObjectStore } from "../../../support/memory-object-store.ts";

function listCalls(store: MemoryObjectStore): string[] {
  return store.calls.filter((call) => call.startsWith("list "));
}

describe("listing many prefixes", () => {
  test("neighbouring segments take one scan", async () => {
    const store = new MemoryObjectStore();
    const prefixes = Array.from({ length: 64 }, (_, index) => `insert_log/1/2/${1_000 + index}/`);
    for (const prefix of prefixes) for (const field of [0, 1, 100]) store.seed(`${prefix}${field}/1`, "log");

    const found = await listPrefixes(store, prefixes);

    expect([...found.values()].map((objects) => objects.length)).toEqual(prefixes.map(() => 3));
    expect(listCalls(store)).toEqual(["list insert_log/1/2/"]);
  });

  test("segments far apart are jumped to, and asked for one by one in the end", async () => {
    const store = new MemoryObjectStore();
    const wanted: string[] = [];
    for (let segment = 1_000; segment < 5_000; segment += 1) {
      store.seed(`insert_log/1/2/${segment}/0/1`, "log");
      if (segment % 600 === 0) wanted.push(`insert_log/1/2/${segment}/`);
    }

    const found = await listPrefixes(store, wanted);

    expect([...found].map(([prefix, objects]) => [prefix, objects.length])).toEqual(
      wanted.map((prefix) => [prefix, 1]),
    );
    expect(listCalls(store).length).toBeLessThanOrEqual(4 + wanted.length);
  });

  test("a prefix that is asked for twice is listed once", async () => {
    const store = new MemoryObjectStore();
    store.seed("a/1", "x");

    expect((await listPrefixes(store, ["a/", "a/"])).get("a/")?.length).toBe(1);
  });

  test("finds exactly what a list of each prefix would find", async () => {
    const id = fc.integer({ min: 1, max: 130 }).map(String);
    const key = fc.tuple(fc.constantFrom("1/2", "1/-1", "11/2"), id, fc.constantFrom("0", "100"));
    await fc.assert(
      fc.asyncProperty(fc.array(key, { maxLength: 200 }), fc.array(key, { maxLength: 20 }), async (lying, asked) => {
        const store = new MemoryObjectStore();
        for (const [parent, segment, field] of lying) store.seed(`log/${parent}/${segment}/${field}/1`, segment);
        const prefixes = [...new Set(asked.map(([parent, segment]) => `log/${parent}/${segment}/`))];

        const found = await listPrefixes(store, prefixes);

        for (const prefix of prefixes) {
          expect(found.get(prefix)?.map((object) => object.key)).toEqual(store.keys(prefix));
        }
        expect(found.size).toBe(prefixes.length);
      }),
      { numRuns: 50 },
    );
  });
});

test.each([
  [["a/b/1/", "a/b/2/"], "a/b/"],
  [["a/b/10/", "a/b/11/"], "a/b/"],
  [["a/1/", "b/1/"], ""],
  [[], ""],
])("the common directory of %j is %j", (prefixes, directory) => {
  expect(commonDirectory(prefixes)).toBe(directory);
});
