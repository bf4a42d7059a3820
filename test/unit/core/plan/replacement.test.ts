import { describe, expect, test } from "vitest";
import {
  isReplaced,
  nextDiscarding,
  nextNaming,
  oldOne,
  type Sight,
  type Standing,
  tellSight,
} from "../../../../src/core/plan/replacement.ts";

const meant = { made: "new", old: "old" };
const names = { working: "db.working", target: "db.target", replaced: "db.replaced" };

/** A name of one of the three kinds of collection, of nobody, or only an alias. */
const there = ["", "new", "old", "other", "alias"] as const;
type There = (typeof there)[number];

function standing(what: There): Standing | undefined {
  if (what === "") return undefined;
  return { id: what === "alias" ? "old" : what, alias: what === "alias", aliases: [] };
}

function sightOf(working: There, target: There, replaced: There): Sight {
  const seen = { working: standing(working), target: standing(target), replaced: standing(replaced) };
  return Object.fromEntries(Object.entries(seen).filter(([, one]) => one !== undefined));
}

/** Every state that can be seen: a collection has one name. */
const states: readonly (readonly [There, There, There])[] = there.flatMap((working) =>
  there.flatMap((target) =>
    there.flatMap((replaced) => {
      const ids = [working, target, replaced].filter((one) => one === "new" || one === "old");
      return new Set(ids).size === ids.length ? [[working, target, replaced] as const] : [];
    }),
  ),
);

/** What stands under the three names after a step. */
function after([working, target, replaced]: readonly [There, There, There], step: string): [There, There, There] {
  if (step === "move-old-aside") return [working, "", target];
  if (step === "name-new") return ["", working, replaced];
  if (step === "put-old-back") return [working, replaced, ""];
  if (step === "drop-new") return ["", target, replaced];
  throw new Error(step);
}

describe("giving the new collection its name", () => {
  test.each(states)(
    "from working %j, target %j, replaced %j ends at it or stops, and takes nothing away",
    (...state) => {
      let now: [There, There, There] = [...state];
      for (let steps = 0; ; steps += 1) {
        const step = nextNaming(meant, sightOf(...now));
        if (step.do === "named") expect(now[1]).toBe("new");
        if (step.do === "named" || step.do === "stop") break;
        expect(steps).toBeLessThan(2);
        const [working, target, replaced] = now;
        // A rename of what is meant, onto a free name.
        if (step.do === "move-old-aside") expect([target, replaced]).toEqual(["old", ""]);
        else expect([working, target]).toEqual(["new", ""]);
        now = after(now, step.do);
      }
      const kept = (one: There) => one !== "" && one !== "alias";
      expect([...now].filter(kept).sort()).toEqual([...state].filter(kept).sort());
    },
  );

  test.each([
    [["new", "", ""], "name-new"],
    [["new", "old", ""], "move-old-aside"],
    [["new", "", "old"], "name-new"],
    [["", "new", "old"], "named"],
    [["", "new", ""], "named"],
    [["new", "other", ""], "target-taken"],
    [["new", "alias", ""], "target-taken"],
    [["new", "other", "old"], "target-taken"],
    [["new", "old", "other"], "replaced-taken"],
    [["", "old", ""], "made-gone"],
    [["other", "old", ""], "made-another"],
  ] as const)("%j: %s", ([working, target, replaced], expected) => {
    const step = nextNaming(meant, sightOf(working, target, replaced));
    expect(step.do === "stop" ? step.because : step.do).toBe(expected);
  });

  test("touches nothing that stands there where nothing did at the beginning", () => {
    const step = nextNaming({ made: "new", old: undefined }, sightOf("new", "old", ""));
    expect(step).toEqual({ do: "stop", because: "target-taken" });
  });
});

describe("a discard", () => {
  test.each(states)(
    "from working %j, target %j, replaced %j never leaves the name to nobody who had it",
    (...state) => {
      let now: [There, There, There] = [...state];
      for (let steps = 0; steps < 3; steps += 1) {
        const step = nextDiscarding(meant, sightOf(...now));
        if (step.do === "refuse") return;
        if (step.do === "put-old-back") expect([now[1], now[2]]).toEqual(["", "old"]);
        now = after(now, step.do);
        if (step.do === "drop-new") break;
      }
      // The old one has its name, or it was gone before and something else has the name, or nothing was there to lose.
      const old = state.includes("old") && state[0] !== "old";
      if (old) expect(now[1]).toBe("old");
      else if (now[1] === "") expect(state[0]).toBe("");
    },
  );

  test.each([
    [["new", "old", ""], "drop-new"],
    [["new", "", "old"], "put-old-back"],
    [["", "new", "old"], "new-in-place"],
    [["new", "other", "old"], "target-taken"],
    [["new", "", ""], "only-copy"],
    [["new", "other", ""], "drop-new"],
    [["", "new", ""], "drop-new"],
    [["", "", ""], "drop-new"],
  ] as const)("%j: %s", ([working, target, replaced], expected) => {
    const step = nextDiscarding(meant, sightOf(working, target, replaced));
    expect(step.do === "refuse" ? step.because : step.do).toBe(expected);
  });

  test("drops what a restore made where nothing stood", () => {
    expect(nextDiscarding({ made: "new", old: undefined }, sightOf("new", "", ""))).toEqual({ do: "drop-new" });
  });
});

describe("which one is replaced", () => {
  test.each([
    ["nothing stood there", undefined, sightOf("", "", ""), { old: undefined }],
    ["the one that stands there", undefined, sightOf("", "other", ""), { old: "other" }],
    ["the one that was seen, as it stands there still", "old", sightOf("", "old", ""), { old: "old" }],
    ["the one that was seen, and moved aside", "old", sightOf("", "", "old"), { old: "old" }],
    ["the same, where the new one has the name", "old", sightOf("", "new", "old"), { old: "old" }],
    ["another look, as the one that was seen is gone", "old", sightOf("", "other", ""), { old: "other" }],
    ["never the one that this restore made", undefined, sightOf("", "new", ""), { old: undefined }],
    ["nobody can say", "old", sightOf("", "other", "old"), "taken"],
  ])("%s", (_, old, sight, expected) => {
    expect(oldOne({ made: "new", old }, sight)).toEqual(expected);
  });

  test("is replaced when the new one has its name and it stands aside", () => {
    expect(isReplaced(meant, sightOf("", "new", "old"))).toBe(true);
    expect(isReplaced(meant, sightOf("new", "", "old"))).toBe(false);
    expect(isReplaced(meant, sightOf("", "new", "other"))).toBe(false);
  });
});

test.each([
  [sightOf("new", "old", ""), "db.target is what stood there before, the restored one stands as db.working"],
  [
    sightOf("new", "", "old"),
    "nothing stands as db.target, the restored one stands as db.working, what stood there before stands as db.replaced",
  ],
  [sightOf("", "new", "old"), "db.target is the restored one, what stood there before stands as db.replaced"],
  [sightOf("new", "other", ""), "db.target is another one, the restored one stands as db.working"],
])("tells what stands where", (sight, told) => {
  expect(tellSight(meant, names, sight)).toBe(told);
});
