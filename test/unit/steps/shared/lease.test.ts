import { beforeEach, expect, test } from "vitest";
import { acquireLease, releaseLease } from "../../../../src/steps/shared/lease.ts";
import { memoryContext } from "../../../support/memory-context.ts";

const first = "arn:aws:states:us-east-1:000000000000:execution:backup:first";
const second = "arn:aws:states:us-east-1:000000000000:execution:backup:second";
const third = "arn:aws:states:us-east-1:000000000000:execution:backup:third";
const key = "leases/restore/prod%2Fmy_backup.json";

let context: ReturnType<typeof memoryContext>;

beforeEach(() => {
  context = memoryContext();
  context.running.add(first).add(second).add(third);
});

function holder(): string | undefined {
  const text = context.work.read(key);
  return text === undefined ? undefined : JSON.parse(text).executionArn;
}

test("one execution gets the lease, the other is told who has it", async () => {
  await acquireLease(context, "restore", "prod/my_backup", first);

  await expect(acquireLease(context, "restore", "prod/my_backup", second)).rejects.toMatchObject({
    name: "AlreadyRunning",
    message: expect.stringMatching(/prod\/my_backup.*execution first/),
    details: { executionArn: first },
  });
  expect(holder()).toBe(first);
});

test("a step that runs twice keeps its lease", async () => {
  await acquireLease(context, "restore", "prod/my_backup", first);

  await expect(acquireLease(context, "restore", "prod/my_backup", first)).resolves.toBeUndefined();
});

test("leases of other subjects do not stand in the way", async () => {
  await acquireLease(context, "restore", "prod/my_backup", first);

  await acquireLease(context, "restore", "prod/other", second);

  expect(context.work.keys("leases/").length).toBe(2);
});

test("the lease of an execution that nobody may look at is kept", async () => {
  await acquireLease(context, "restore", "prod/my_backup", first);
  context.unknown.add(first);

  await expect(acquireLease(context, "restore", "prod/my_backup", second)).rejects.toMatchObject({
    name: "AlreadyRunning",
  });
});

test("the lease of an execution that is over is taken over", async () => {
  await acquireLease(context, "restore", "prod/my_backup", first);
  context.running.delete(first);

  await acquireLease(context, "restore", "prod/my_backup", second);

  expect(holder()).toBe(second);
});

test("of two executions that take over at once, one gets the lease", async () => {
  await acquireLease(context, "restore", "prod/my_backup", first);
  context.running.delete(first);

  const results = await Promise.allSettled(
    [second, third].map((arn) => acquireLease(context, "restore", "prod/my_backup", arn)),
  );

  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("a lease that nobody can read is taken over", async () => {
  context.work.seed(key, "not JSON");

  await acquireLease(context, "restore", "prod/my_backup", first);

  expect(holder()).toBe(first);
});

test("a released lease is free again", async () => {
  await acquireLease(context, "restore", "prod/my_backup", first);
  await releaseLease(context, "restore", "prod/my_backup", first);

  await acquireLease(context, "restore", "prod/my_backup", second);

  expect(holder()).toBe(second);
});

test("an execution gives back only what it holds, and nothing twice", async () => {
  await acquireLease(context, "restore", "prod/my_backup", first);

  await releaseLease(context, "restore", "prod/my_backup", second);
  expect(holder()).toBe(first);

  await releaseLease(context, "restore", "prod/my_backup", first);
  await releaseLease(context, "restore", "prod/my_backup", first);
  expect(holder()).toBeUndefined();
});
