import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { seedBackup } from "../../support/seed-backup.ts";
import { environmentNamed, FakeCli, stackOutputs, yamlText } from "./support/fake-cli.ts";

const directory = mkdtempSync(join(tmpdir(), "milvus-backup-completion-"));
const config = join(directory, "a.yaml");
beforeAll(() => writeFileSync(config, yamlText));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let cli: FakeCli;
beforeEach(() => {
  cli = new FakeCli();
  cli.environments.set("prod", environmentNamed("prod"));
  cli.environments.set("dr", environmentNamed("dr"));
});

/** What a shell is answered for words, the last of which is the one that is typed. */
async function answer(...words: string[]): Promise<string[]> {
  const { stdout, stderr } = await cli.run("__complete", "--", ...words);
  expect(stderr).toBe("");
  return stdout.split("\n").slice(0, -1);
}
const values = async (...words: string[]) => (await answer(...words)).map((line) => line.split("\t", 1)[0]);

describe("completion", () => {
  test("offers the verbs with what they do, and none that is hidden", async () => {
    expect(await answer("resto")).toEqual([
      "restore\trestore collections into the Milvus of the config, under their names or new ones",
    ]);
    const verbs = await values("");
    expect(verbs).toEqual(expect.arrayContaining(["create", "status", "completion"]));
    expect(verbs).not.toContain("__complete");
    expect(verbs).not.toContain("migrate");
    expect(await values("--config", "a.yaml", "env", "s")).toEqual(["show", "set"]);
  });

  test("offers the options of the verb and of every verb, each once, and none that is typed or hidden", async () => {
    const options = await values("create", "--strategy", "flush", "--set", "a=b", "--");

    expect(options).toEqual(expect.arrayContaining(["--name", "--json", "--config", "--set", "--help"]));
    expect(options).not.toContain("--strategy");
    expect(options).not.toContain("--backup-index-extra");
    expect(new Set(options).size).toBe(options.length);
    expect(await values("restore", "--keep")).toEqual(["--keep-replaced"]);
  });

  test.each([
    [
      ["create", "--strategy", "s"],
      ["serial_flush", "skip_flush"],
    ],
    // as zsh and fish hand it on, and as bash does
    [
      ["create", "--strategy=s"],
      ["--strategy=serial_flush", "--strategy=skip_flush"],
    ],
    [
      ["create", "--strategy", "=", "s"],
      ["serial_flush", "skip_flush"],
    ],
    [
      ["restore", "--verify", ""],
      ["none", "size", "content"],
    ],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["create", "-n", ""], []],
    [["create", "--", "--st"], []],
    [["no-such-verb", "--nothing", "x"], []],
  ])("offers for %j: %j", async (words, expected) => {
    expect(await values(...words)).toEqual(expected);
  });

  test.each([[["--config", ""]], [["--config=a"]], [["copy", "--to", "b"]], [["retention", "x", "--pipeline", ""]]])(
    "leaves files to the shell: %j",
    async (words) => {
      expect(await answer(...words)).toEqual([":files"]);
    },
  );

  test("knows the names of backups, of where the line says they lie", async () => {
    for (const name of ["nightly_1", "nightly_2", "by_hand"]) seedBackup(cli.backups, name);

    expect(await values("--config", config, "get", "-n", "night")).toEqual(["nightly_1", "nightly_2"]);
    expect(await values("--environment", "prod", "delete", "--name=by")).toEqual(["--name=by_hand"]);
    expect(await values("restore", "--from-environment", "dr", "-n", "")).toEqual([
      "by_hand",
      "nightly_1",
      "nightly_2",
    ]);
  });

  test("offers no name that a shell would take for more than a word, and does not stay for the rest of its patience", async () => {
    for (const name of ["plain-1.b", "$(touch injected)", "a;b", "a b"]) {
      cli.backups.seed(`backup/${name}/meta/full_meta.json`, "{}");
    }

    expect(await values("--config", config, "get", "-n", "")).toEqual(["plain-1.b"]);
    // cli/bin.js ends the process at once with this code
    expect(await cli.run("__complete", "--", "--config", config, "get", "-n", "")).toMatchObject({ code: 130 });
  });

  test("knows the names of environments and schedules", async () => {
    cli.outputs = {
      ...stackOutputs,
      Schedule1: JSON.stringify({
        name: "nightly",
        environment: "prod",
        expression: "rate(1 day)",
        timeZone: "UTC",
        enabled: true,
      }),
    };
    const file = join(directory, "pipeline.yaml");
    writeFileSync(
      file,
      "environments: { prod: }\nschedules: [{ name: weekly, environment: prod, expression: rate(7 days) }]\n",
    );

    expect(await values("--environment", "")).toEqual(["dr", "prod"]);
    expect(await values("env", "show", "p")).toEqual(["prod"]);
    expect(await values("env", "restore", "p")).toEqual([]);
    expect(await values("status", "--last", "--schedule", "")).toEqual(["nightly"]);
    expect(await values("retention", "--pipeline", file, "")).toEqual(["weekly"]);
  });

  test("says nothing where nobody answers, or there is no such file", async () => {
    cli.outputs = undefined;

    expect(await answer("--environment", "")).toEqual([]);
    expect(await answer("--config", "nowhere.yaml", "get", "-n", "")).toEqual([]);
    expect(await cli.run("completion", "tcsh")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("bash, zsh, fish"),
    });
  });
});

describe("a real bash", () => {
  const bin = join(directory, "bin");
  const project = join(import.meta.dirname, "../../..");

  /** What is typed at its prompt, a line each; answers what it shows. */
  async function type(...lines: string[]): Promise<string> {
    const rc = join(directory, "bashrc");
    writeFileSync(rc, "source <(milvus-backup completion bash)\nPS1='$ '\nbind 'set enable-bracketed-paste off'\n");
    const { stdout } = await execa("script", ["-qec", `bash --noprofile --rcfile ${rc} -i`, "/dev/null"], {
      input: `${lines.join("\n")}\nexit\n`,
      cwd: project,
      env: { PATH: [bin, process.env.PATH].join(delimiter), HOME: directory, TERM: "dumb" },
    });
    return stdout;
  }

  beforeAll(async () => {
    await execa("mkdir", [bin]);
    // As npm link puts it there.
    symlinkSync(join(project, "cli/bin.js"), join(bin, "milvus-backup"));
    chmodSync(join(project, "cli/bin.js"), 0o755);
  });

  test("completes verbs, options, values and files at Tab", async () => {
    // Ctrl-A and echo: the line is printed in place of being run.
    const file = join(directory, "schedules.yaml");
    writeFileSync(
      file,
      "environments: { prod: }\nschedules: [{ name: weekly, environment: prod, expression: rate(7 days) }]\n",
    );
    const shown = await type(
      // a name that is asked for
      `milvus-backup retention --pipeline ${file} we\t\x01echo zero: `,
      "milvus-backup crea\t--strat\tfl\t\x01echo one: ",
      "milvus-backup --config=package.js\t\x01echo two: ",
      "milvus-backup status --max-\t'$(touch injected)' --la\t\x01echo three: ",
    );

    expect(shown).toContain(`zero: milvus-backup retention --pipeline ${file} weekly`);
    expect(shown).toContain("one: milvus-backup create --strategy flush");
    expect(shown).toContain("two: milvus-backup --config=package.json");
    expect(shown).toContain("three: milvus-backup status --max-age $(touch injected) --last");
    await expect(execa("ls", ["injected"], { cwd: project })).rejects.toThrow();
  });
});
