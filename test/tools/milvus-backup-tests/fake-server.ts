import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { type BackupEnvironment, backupYaml } from "../../../local/backup-yaml.ts";
import { aws, backupPlace } from "../../../local/index.ts";
import { localDir, projectDir } from "../../../local/paths.ts";
import { openEnvironmentStore } from "../../../src/adapters/store-opener.ts";
import { parseEnvironment } from "../../../src/core/environment/yaml.ts";
import { startFakeMilvus } from "../../support/fake-milvus/index.ts";

/**
 * Runs the fake Milvus of a version beside the local stack, until Ctrl-C, with a backup.yaml for either tool: for those of milvus-backup's own tests
 * that need users and roles of a newer server than runs here (docs/server.md).
 */
const { values } = parseArgs({
  options: { version: { type: "string", default: "2.6.4" }, port: { type: "string", default: "19550" } },
});
const user = { user: "root", password: "Milvus" };
const place = { bucket: "bucket-a", rootPath: "files-fake" };

function environmentOf(port: number, managementPort: number): BackupEnvironment {
  const [managementUrl, backupRootPath] = [`http://127.0.0.1:${managementPort}`, `backup-fake-${managementPort}`];
  return {
    ...{ ...user, ...place, host: "127.0.0.1", port, managementUrl, storage: aws },
    ...{ backupBucket: backupPlace.bucket, backupRootPath },
  };
}

const described = { name: "fake", fileName: "fake.yaml", overrides: {} };
const objects = await openEnvironmentStore(parseEnvironment(backupYaml(environmentOf(1, 1)), described), "milvus");
const fake = await startFakeMilvus({
  ...{ version: `v${values.version}`, ...user, at: Number(values.port) },
  store: { objects, rootPath: place.rootPath },
});
// another one each time: what is registered under its name stays as it is
const file = join(localDir, `fake-${fake.management.port}.yaml`);
await writeFile(file, backupYaml(environmentOf(fake.port, fake.management.port)));
console.log(`Milvus ${values.version} on port ${fake.port}: ${relative(projectDir, file)}`);
