import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const endToEnd = fileURLToPath(new URL("../../e2e/", import.meta.url));

test.each(["minio: true", "sharedBucket: true"])(
  "one file of end-to-end tests starts and ends the servers of `up({ %s })`: two would pull them from under each other",
  (option) => {
    const users = globSync("*.ts", { cwd: endToEnd }).filter((file) =>
      readFileSync(`${endToEnd}${file}`, "utf8").includes(option),
    );

    expect(users).toHaveLength(1);
  },
);
