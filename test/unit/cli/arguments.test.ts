import { expect, test } from "vitest";
import { normalizeArguments } from "../../../cli/arguments.ts";
import { program } from "../../support/command.ts";

test.each([
  [
    "underscores in names of options",
    ["restore", "--no_load", "--skip_create"],
    ["restore", "--no-load", "--skip-create"],
  ],
  [
    "names that milvus-backup uses",
    ["--colls", "a", "--drop_exist_collection"],
    ["--collections", "a", "--drop-existing"],
  ],
  ["its metadata options", ["--meta_only", "--skip_create_collection"], ["--metadata-only", "--skip-create"]],
  [
    "values after = keep their underscores",
    ["--colls=my_coll", "--set=MILVUS_USER=a_b"],
    ["--collections=my_coll", "--set=MILVUS_USER=a_b"],
  ],
  ["flags with a value, as Go's flags take them", ["--force=true", "--detach=false"], ["--force"]],
  ["short options with =", ["-n=my_backup", "-s=_bak"], ["-n", "my_backup", "-s", "_bak"]],
  ["values that are words of their own", ["-s", "_bak", "a_b"], ["-s", "_bak", "a_b"]],
  ["nothing after --", ["--meta_only", "--", "--meta_only"], ["--metadata-only", "--", "--meta_only"]],
])("%s", (_name, argv, expected) => {
  expect(normalizeArguments(argv, program)).toEqual(expected);
});

test("a value that reads true stays a value", () => {
  expect(normalizeArguments(["--suffix=true"], program)).toEqual(["--suffix=true"]);
});
