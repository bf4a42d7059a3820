import { execFileSync } from "node:child_process";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { bundleFunctions } from "../../infra/bundle.ts";
import { eventFunctionSpecs, functionSpecs } from "../../infra/functions.ts";
import type { FunctionEnvironment } from "../../src/core/execution/function-environment.ts";

const specs = [...functionSpecs, ...eventFunctionSpecs];
const bundles = bundleFunctions(specs.map(({ name }) => name));
const fileOf = (name: string) => join(bundles.directoryOf(name), "index.js");

// The bundler removes it when its process exits; vitest's workers are ended, which runs no handler.
afterAll(() => rmSync(dirname(bundles.directoryOf("copy-segments")), { recursive: true, force: true }));

/** The packages that went into a bundle. */
function packagesOf(name: string): string[] {
  const [, output] =
    Object.entries(bundles.metafile.outputs).find(([file]) => file.endsWith(`/${name}/index.js`)) ?? [];
  const packages = Object.keys(output?.inputs ?? {}).flatMap((file) => {
    const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file) ?? [];
    return name ? [name] : [];
  });
  return [...new Set(packages)].sort();
}

describe("bundles", () => {
  it("keep Copy Segments below 1 MB: no Milvus client, and of zod only what is used", () => {
    const packages = packagesOf("copy-segments");

    // `import { z }` instead of `import * as z` anywhere in it brings the whole of zod in, and with it 0.4 MB.
    expect(statSync(fileOf("copy-segments")).size).toBeLessThan(1_000_000);
    expect(packages).toContain("@aws-sdk/client-s3");
    expect(packages).not.toContain("@zilliz/milvus2-sdk-node");
    expect(packages.filter((name) => name.startsWith("@grpc/"))).toEqual([]);
    expect(packages.filter((name) => /^@(azure|google-cloud)\//.test(name))).toEqual([]);
  });

  it("bring the client of KMS only to who signs backups or looks at signatures", () => {
    const holders = specs.map(({ name }) => name).filter((name) => packagesOf(name).includes("@aws-sdk/client-kms"));

    expect(holders.sort()).toEqual(["finalize-backup", "prepare-restore"]);
  });

  it("have what reads row IDs beside Prepare Backup, not in it", () => {
    expect(packagesOf("prepare-backup")).not.toContain("parquet-wasm");

    const script =
      'import("#payloads/parquet").then(({ parquetPayloads }) => console.log(typeof parquetPayloads.read))';
    const cwd = bundles.directoryOf("prepare-backup");
    const file = join(cwd, "try.js");
    writeFileSync(file, script);

    expect(execFileSync(process.execPath, [file], { encoding: "utf8" }).trim()).toBe("function");
  });

  it.each(["azure", "gcs"])(
    "have the client of %s in a file beside, whose errors are the function's own kind",
    (kind) => {
      const settings = {
        type: kind === "azure" ? "azure" : "gcpnative",
        address: "127.0.0.1",
        port: 1,
        useSSL: false,
        bucket: "b",
        credentials:
          kind === "azure"
            ? { kind: "static", accessKeyId: "account1", secretAccessKey: "a2V5", token: "" }
            : { kind: "google", json: '{"type":"service_account"}' },
      };
      const script = `import("#stores/${kind}").then(async (loaded) => {
      const [connect, Store] = [loaded.connectAzure ?? loaded.connectGcs, loaded.AzureObjectStore ?? loaded.GcsObjectStore];
      const settings = ${JSON.stringify(settings)};
      const error = await new Store(connect(settings), "b").checkAccess().catch((thrown) => thrown);
      console.log(error.name, Symbol.for("milvus-backup.PipelineError") in error);
    })`;
      const cwd = bundles.directoryOf("copy-segments");
      const file = join(cwd, "try.js");
      writeFileSync(file, script);

      expect(execFileSync(process.execPath, [file], { encoding: "utf8" }).trim()).toBe("StoreUnreachable true");
    },
  );

  it.each(specs)("make $name load as Lambda loads it, into a handler", ({ name }) => {
    const script = `console.log(typeof require(${JSON.stringify(fileOf(name))}).handler)`;
    const variables: FunctionEnvironment = {
      WORK_BUCKET: "work",
      ENVIRONMENTS_PREFIX: "environments/",
      STACK_NAME: "MilvusBackup",
      ROLE_PATH: "/milvus-backup/MilvusBackup/",
      ALLOWED_ENVIRONMENTS: "{}",
      BACKUP_STATE_MACHINE_ARN: "arn:aws:states:eu-west-1:111122223333:stateMachine:backup",
      RESTORE_STATE_MACHINE_ARN: "arn:aws:states:eu-west-1:111122223333:stateMachine:restore",
      API_ENVIRONMENT: "prod",
    };
    const env = { ...variables, AWS_REGION: "eu-west-1" };

    const type = execFileSync(process.execPath, ["--input-type=commonjs", "-e", script], { env, encoding: "utf8" });

    expect(type.trim()).toBe("function");
  });
});
