import { describe, expect, test } from "vitest";
import {
  covers,
  describeLock,
  isLockedAt,
  lockFrom,
  lockSettings,
  type ObjectLock,
  strongerOf,
} from "../../../../src/core/execution/object-lock.ts";

const governance = (until: string): ObjectLock => ({ mode: "governance", until });
const compliance = (until: string): ObjectLock => ({ mode: "compliance", until });
const [soon, late] = ["2026-12-01T00:00:00.000Z", "2027-12-01T00:00:00.000Z"];

describe("what people write", () => {
  test.each([
    ["30d", { for: "30d", mode: "governance" }],
    [{ for: "12h" }, { for: "12h", mode: "governance" }],
    [
      { for: "36500d", mode: "compliance" },
      { for: "36500d", mode: "compliance" },
    ],
  ])("%j", (given, expected) => {
    expect(lockSettings.parse(given)).toEqual(expected);
  });

  test.each([
    "0d",
    "30",
    "30 days",
    "36501d",
    "999999h",
    "-1d",
    "1.5d",
    { for: "30d", mode: "forever" },
    { mode: "compliance" },
  ])("%j is refused with what is accepted", (given) => {
    expect(lockSettings.safeParse(given).error?.issues[0]?.message).toContain("such as 30d");
  });
});

test("counts from the start of an execution, to a whole second that is not before it", () => {
  expect(lockFrom({ for: "36h", mode: "governance" }, "2026-11-28T13:09:00.001Z")).toEqual(
    governance("2026-11-30T01:09:01.000Z"),
  );
});

test("is covered by what is as long and as strong", () => {
  expect(covers(undefined, governance(soon))).toBe(false);
  expect(covers(governance(soon), governance(soon))).toBe(true);
  expect(covers(governance(soon), governance(late))).toBe(false);
  expect(covers(governance(late), compliance(soon))).toBe(false);
  expect(covers(compliance(late), governance(soon))).toBe(true);
});

test("is never made shorter or weaker", () => {
  expect(strongerOf(governance(late), governance(soon))).toEqual(governance(late));
  expect(strongerOf(compliance(soon), governance(late))).toEqual(compliance(late));
  expect(strongerOf(governance(late), compliance(soon))).toEqual(compliance(late));
  expect(strongerOf(undefined, governance(soon))).toEqual(governance(soon));
});

test("is over at its end, and told to the minute in which it is over", () => {
  const lock = governance("2026-12-28T11:03:07.000Z");
  expect(isLockedAt(lock, new Date("2026-12-28T11:03:06Z"))).toBe(true);
  expect(isLockedAt(lock, new Date("2026-12-28T11:03:07Z"))).toBe(false);
  expect(isLockedAt(undefined, new Date())).toBe(false);
  expect(describeLock(lock)).toBe("locked until 2026-12-28 11:04 UTC (governance)");
});
