import { expect, test } from "vitest";
import * as z from "zod";
import { parseWorkJson } from "../../../../src/core/execution/work-json.ts";

test("a file that is cut off is named", () => {
  expect(() => parseWorkJson('{"a":', "executions/backup/x/plan.json", z.object({ a: z.string() }))).toThrow(
    expect.objectContaining({
      name: "StoreFailed",
      message: expect.stringContaining(
        "executions/backup/x/plan.json in the work bucket is not what this version of the pipeline writes there",
      ),
    }),
  );
});
