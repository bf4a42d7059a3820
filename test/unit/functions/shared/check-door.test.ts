import { expect, test, vi } from "vitest";
import { answeringChecks } from "../../../../functions/shared/check-door.ts";
import type { CheckResult } from "../../../../src/core/check/result.ts";

const check = { environment: "prod", of: "stores", id: "0123abcd" } as const;
const found: CheckResult[] = [{ check: "backup write", ok: true, detail: "a key" }];

function door() {
  const [checking, step] = [vi.fn(async () => found), vi.fn(async () => ({ outcome: "copied" }))];
  return { checking, step, handle: answeringChecks(checking, step) };
}

test("a check is answered, and the step is not run", async () => {
  const { checking, step, handle } = door();

  expect(await handle({ check })).toEqual({ checks: found });
  expect(checking).toHaveBeenCalledExactlyOnceWith(check);
  expect(step).not.toHaveBeenCalled();
});

test.each([[{ batchKey: "executions/backup/x/batches/1.json" }], [null], ["text"]])(
  "everything else is the step's: %j",
  async (event) => {
    const { checking, step, handle } = door();

    expect(await handle(event)).toEqual({ outcome: "copied" });
    expect(step).toHaveBeenCalledExactlyOnceWith(event);
    expect(checking).not.toHaveBeenCalled();
  },
);

test.each([
  [{ check: { ...check, id: "../../files/" } }, /check.id/],
  [{ check: { ...check, of: "everything" } }, /check.of/],
  [{ check, batchKey: "x" }, /unknown key "batchKey"/],
])("a request that is none is refused by its key: %j", async (event, message) => {
  const { checking, handle } = door();

  await expect(handle(event)).rejects.toMatchObject({ name: "InvalidInput", message: expect.stringMatching(message) });
  expect(checking).not.toHaveBeenCalled();
});
