import { describe, expect, it } from "vitest";
import { atTimestamp, type InstantBounds, judgeInstant, type Violation } from "../../../measure/instant-judge.ts";
import type { Write } from "../../../measure/write-log.ts";

const T = Date.UTC(2026, 10, 23, 12, 0, 0);
const at = (milliseconds: number): InstantBounds => ({ earliest: T + milliseconds, latest: T + milliseconds });

/** An upsert of one key, sent and acknowledged so many milliseconds after T; negative ones are before it. */
function write(version: number, sent: number, acknowledged: number | undefined, key = "7"): Write {
  return {
    version,
    keys: [key],
    sent: T + sent,
    ...(acknowledged !== undefined && { acknowledged: T + acknowledged }),
  };
}

/** What is wrong with key 7 in these versions, at T. */
function violationsOf(writes: readonly Write[], ...versions: readonly number[]): Violation[] {
  const rows = versions.map((version) => ({ key: "7", version }));
  return judgeInstant(writes, at(0), rows).violations.map(({ violation }) => violation);
}

describe("the instant of a backup", () => {
  it("is the physical part of its hybrid timestamp, to the millisecond", () => {
    const hybrid = (BigInt(T) << 18n) + 262_143n;

    expect(atTimestamp(String(hybrid))).toEqual({ earliest: T, latest: T });
  });
});

describe("a collection at an instant", () => {
  const settled = [write(1, -2_000, -1_990), write(2, -1_000, -990), write(3, 1_000, 1_010)];

  it("is right with every key once, in its last version before", () => {
    const writes = [...settled, { ...write(4, -900, -890), keys: ["8", "9"] }];
    const rows = [
      { key: "7", version: 2 },
      { key: "8", version: 4 },
      { key: "9", version: 4 },
    ];

    expect(judgeInstant(writes, at(0), rows)).toEqual({ expected: 3, back: 3, violations: [] });
  });

  it.each<[what: string, versions: number[], violations: Violation[]]>([
    ["a key that is not there", [], ["missing"]],
    ["a key that is there twice", [2, 2], ["twice"]],
    ["a version that had been replaced", [1], ["too old"]],
    ["a version that came after", [3], ["too new"]],
    ["a version that nobody wrote", [77], ["never written"]],
    ["an old and a right one together", [1, 2], ["twice", "too old"]],
  ])("tells %s", (_, versions, violations) => {
    expect(violationsOf(settled, ...versions)).toEqual(violations);
  });

  it("tells what was found and what would have been right", () => {
    const { violations } = judgeInstant(settled, at(0), [{ key: "7", version: 1 }]);

    expect(violations).toEqual([{ key: "7", violation: "too old", found: [1], right: [2, 2] }]);
  });

  it("tells a key that no write had", () => {
    const { expected, violations } = judgeInstant([], at(0), [{ key: "7", version: 1 }]);

    expect(expected).toBe(0);
    expect(violations).toEqual([{ key: "7", violation: "never written", found: [1], right: [undefined, undefined] }]);
  });

  it("counts a key as back in a wrong version too, and as expected when it is missing", () => {
    const writes = [...settled, write(4, -900, -890, "8")];

    expect(judgeInstant(writes, at(0), [{ key: "7", version: 1 }])).toMatchObject({ expected: 2, back: 1 });
  });

  it("names keys in their order as numbers", () => {
    const writes = ["10", "9", "9223372036854775807", "9223372036854775806"].map((key, index) =>
      write(index + 1, -500, -490, key),
    );

    const { violations } = judgeInstant(writes, at(0), []);

    expect(violations.map(({ key }) => key)).toEqual(["9", "10", "9223372036854775806", "9223372036854775807"]);
  });
});

describe("what was written around the instant", () => {
  const before = write(1, -2_000, -1_990);

  it.each<[what: string, last: Write]>([
    ["acknowledged less than 100 ms before", write(2, -150, -99)],
    ["sent before and acknowledged after", write(2, -50, 20)],
    ["sent before and never acknowledged", write(2, -1_000, undefined)],
    ["sent within the step of Milvus's clock", write(2, 49, 60)],
  ])("may be there or not: %s", (_, last) => {
    expect(violationsOf([before, last], 1)).toEqual([]);
    expect(violationsOf([before, last], 2)).toEqual([]);
    expect(violationsOf([before, last])).toEqual(["missing"]);
  });

  it("has to be there where it was acknowledged 100 ms before", () => {
    const last = write(2, -150, -100);

    expect(violationsOf([before, last], 1)).toEqual(["too old"]);
  });

  it("cannot be there where it was sent after the step of Milvus's clock", () => {
    const last = write(2, 50, 60);

    expect(violationsOf([before, last], 2)).toEqual(["too new"]);
  });

  it("leaves every version since the last that had to be there", () => {
    const writes = [before, write(2, -500, -400), write(3, -300, undefined), write(4, -80, -70), write(5, 90, 95)];

    const violations = [1, 2, 3, 4, 5].map((version) => violationsOf(writes, version));

    expect(violations).toEqual([["too old"], [], [], [], ["too new"]]);
  });

  it("need not bring a key back that was never acknowledged in time", () => {
    const writes = [write(1, -50, -40)];

    expect(violationsOf(writes)).toEqual([]);
    expect(violationsOf(writes, 1)).toEqual([]);
    expect(judgeInstant(writes, at(0), []).expected).toBe(0);
  });
});

describe("a backup that does not tell its instant", () => {
  const during = { earliest: T - 1_000, latest: T + 1_000 };
  const writes = [write(1, -3_000, -2_990), write(2, -2_000, -1_990), write(3, 0, 10), write(4, 2_000, 2_010)];
  const violationsOfVersion = (version: number) =>
    judgeInstant(writes, during, [{ key: "7", version }]).violations.map(({ violation }) => violation);

  it("may have been at any time while it was taken", () => {
    expect([1, 2, 3, 4].map(violationsOfVersion)).toEqual([["too old"], [], [], ["too new"]]);
  });
});
