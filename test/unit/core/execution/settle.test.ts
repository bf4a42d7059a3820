import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { settleAll, settleBehind, settleEach, settleStream } from "../../../../src/core/execution/settle.ts";

describe("settleAll", () => {
  test("answers what all of them answer, each with its type", async () => {
    const [text, count]: [string, number] = await settleAll([Promise.resolve("a"), sleep(1, 2)]);

    expect([text, count]).toEqual(["a", 2]);
  });

  test("throws the fault that came first, when every one has come to its end", async () => {
    let ended = 0;
    const slowly = async (milliseconds: number, fault?: string) => {
      await sleep(milliseconds);
      ended += 1;
      if (fault !== undefined) throw new Error(fault);
    };

    await expect(settleAll([slowly(20, "second"), slowly(5, "first"), slowly(30)])).rejects.toThrow("first");
    expect(ended).toBe(3);
  });
});

describe("settleBehind", () => {
  const failing = async (milliseconds: number, fault: string) => {
    await sleep(milliseconds);
    throw new Error(fault);
  };

  test("answers what the work does where the check finds nothing", async () => {
    expect(await settleBehind(sleep(5), Promise.resolve("a"))).toBe("a");
    await expect(settleBehind(sleep(5), failing(1, "work"))).rejects.toThrow("work");
  });

  test("throws what the check does, whatever became of the work, when both have come to their end", async () => {
    let ended = false;
    const work = sleep(20).then(() => {
      ended = true;
    });

    await expect(settleBehind(failing(1, "check"), work)).rejects.toThrow("check");
    expect(ended).toBe(true);
    await expect(settleBehind(failing(10, "check"), failing(1, "work"))).rejects.toThrow("check");
  });
});

describe("settleEach", () => {
  test("answers in the order of the items, so many at once", async () => {
    let running = 0;
    let most = 0;
    const answers = await settleEach([30, 1, 20, 1, 1], 2, async (milliseconds) => {
      running += 1;
      most = Math.max(most, running);
      await sleep(milliseconds);
      running -= 1;
      return milliseconds;
    });

    expect(answers).toEqual([30, 1, 20, 1, 1]);
    expect(most).toBe(2);
  });

  test("begins nothing after the first fault, waits for what runs, and tells it", async () => {
    const begun: number[] = [];
    const told: boolean[] = [];
    const ended: number[] = [];
    const work = settleEach([0, 1, 2, 3, 4, 5], 3, async (item, isStopped) => {
      begun.push(item);
      if (item === 1) throw new Error("no");
      await sleep(20);
      told.push(isStopped());
      ended.push(item);
    });

    await expect(work).rejects.toThrow("no");
    expect(begun).toEqual([0, 1, 2]);
    expect(ended).toEqual([0, 2]);
    expect(told).toEqual([true, true]);
    await sleep(30);
    expect(begun).toEqual([0, 1, 2]);
  });

  test("asks for items as somebody is free to work on them, and for none after a fault", async () => {
    const asked: number[] = [];
    function* items() {
      for (let item = 0; item < 100; item += 1) {
        asked.push(item);
        yield item;
      }
    }

    const work = settleEach(items(), 2, async (item) => {
      await sleep(1);
      if (item === 3) throw new Error("no");
    });

    await expect(work).rejects.toThrow("no");
    expect(asked.length).toBeLessThanOrEqual(6);
  });

  test("throws what the items themselves throw", async () => {
    function* items() {
      yield 1;
      throw new Error("no more");
    }

    await expect(settleEach(items(), 4, async () => sleep(5))).rejects.toThrow("no more");
  });
});

describe("settleStream", () => {
  test("answers in order, and begins no more at once than it may", async () => {
    let running = 0;
    let most = 0;
    const answers: number[] = [];
    const stream = settleStream([3, 1, 2, 1, 3], 2, async (ticks, index) => {
      running += 1;
      most = Math.max(most, running);
      for (let left = ticks; left > 0; left -= 1) await Promise.resolve();
      running -= 1;
      return index;
    });
    for await (const answer of stream) answers.push(answer);

    expect(answers).toEqual([0, 1, 2, 3, 4]);
    expect(most).toBe(2);
  });

  test("leaves nothing running, whether an item fails or nobody asks on", async () => {
    for (const ends of ["fault", "break"] as const) {
      let running = 0;
      const stream = settleStream([0, 1, 2, 3], 3, async (item) => {
        running += 1;
        for (let left = item * 5; left > 0; left -= 1) await Promise.resolve();
        running -= 1;
        if (ends === "fault" && item === 0) throw new Error("broken");
        return item;
      });
      const consume = async () => {
        for await (const _ of stream) if (ends === "break") break;
      };
      if (ends === "fault") await expect(consume()).rejects.toThrow("broken");
      else await consume();
      expect(running, ends).toBe(0);
    }
  });
});
