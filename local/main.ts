import { relative } from "node:path";
import { Command } from "commander";
import { interruptible, reportFailure } from "./interrupt.ts";
import { createOtherAccount } from "./other-account.ts";
import { projectDir } from "./paths.ts";
import { formatReport, type StepReport } from "./reporter.ts";
import { dropSample, seedSample, showSample } from "./sample.ts";
import { deploy, down, type StackInfo, status, up } from "./stack.ts";
import { formatStatus } from "./status-table.ts";

const signal = interruptible();

const reporter = (report: StepReport) => {
  const line = formatReport(report);
  if (line !== undefined) console.log(line);
};

const program = new Command("local")
  .description("The stack on this machine: two Milvus servers and an AWS emulator with the pipeline deployed into it")
  .helpCommand(false);

program
  .command("up")
  .description("start what does not run and deploy the pipeline; safe to repeat")
  .option("--no-deploy", "start the servers only")
  .option("--minio", "also start two MinIO stores, each with a Milvus server of its own")
  .option(
    "--clouds",
    "also start Azure Blob Storage and Google Cloud Storage (azurite, fake-gcs-server), and what --minio starts",
  )
  .option("--shared-bucket", "also start two Milvus servers with two root paths in one bucket")
  .option("--app <command>", "deploy another CDK app")
  .option("--stack <name>", "the stack of that app")
  .action(async (options: UpChoices & { deploy: boolean; app?: string; stack?: string }) => {
    const began = performance.now();
    const info = await up({ ...options, reporter, signal });
    console.log(`Up in ${((performance.now() - began) / 1000).toFixed(1)} s.\n${summary(info, options)}`);
  });

program
  .command("deploy")
  .description("deploy the pipeline once more")
  .option("--app <command>", "deploy another CDK app")
  .option("--stack <name>", "the stack of that app")
  .action(async (options: { app?: string; stack?: string }) => {
    await deploy({ ...options, reporter, signal });
  });

program
  .command("down")
  .description("end every process of the stack and remove its data")
  .action(() => down({ reporter }));

program
  .command("status")
  .description("say how each service is; exit code 1 unless all are healthy")
  .option("--json", "as JSON")
  .action(async ({ json }: { json?: boolean }) => {
    const services = await status();
    console.log(json ? JSON.stringify(services, undefined, 2) : formatStatus(services));
    if (services.some((service) => service.health !== "healthy")) process.exitCode = 1;
  });

program
  .command("seed")
  .description("make a collection to back up: 3,000 rows in two partitions, with an index, loaded, a few rows deleted")
  .option("--server <address>", "the Milvus server", "127.0.0.1:19530")
  .option("--collection <name>", "its name; replaced if it exists", "coll")
  .action(({ server, collection }: { server: string; collection: string }) =>
    seedSample(server, collection, console.log),
  );

program
  .command("show")
  .description("say what a collection holds, and what it finds for three fixed vectors")
  .argument("<collection>")
  .option("--server <address>", "the Milvus server", "127.0.0.1:19530")
  .action((collection: string, { server }: { server: string }) => showSample(server, collection, console.log));

program
  .command("drop")
  .description("drop a collection, its aliases with it")
  .argument("<collection>")
  .option("--server <address>", "the Milvus server", "127.0.0.1:19530")
  .action((collection: string, { server }: { server: string }) => dropSample(server, collection, console.log));

program
  .command("other-account")
  .description("make a bucket in another account of the emulator, and the role that lets this one read backups in it")
  .argument("<account>", "12 digits")
  .option("--bucket <name>", "holds its backups", "backups-of-prod")
  .option("--prefix <prefix>", "what the role lets others read", "backup")
  .option("--external-id <id>", "what both sides agreed on", "agreed-between-us")
  .action((account: string, options: { bucket: string; prefix: string; externalId: string }) =>
    createOtherAccount({ account, ...options }, console.log),
  );

interface UpChoices {
  minio?: true;
  clouds?: true;
  sharedBucket?: true;
}

function summary({ aws, milvus, sharedBucket, minio, clouds }: StackInfo, options: UpChoices): string {
  const shown = (file: string) => relative(projectDir, file);
  return [
    `AWS       ${aws.endpoint}, for a shell: . ${shown(aws.envFile)}`,
    ...[...milvus, ...(options.sharedBucket ? sharedBucket : [])].map(
      (it) => `${it.name.padEnd(9)} ${it.address}, ${it.bucket}/${it.rootPath}, ${shown(it.backupYaml)}`,
    ),
    ...(options.minio || options.clouds ? minio : []).map(
      (it) =>
        `${it.name.padEnd(9)} ${it.milvus.address}, data and backups in ${it.store.address}, ${shown(it.backupYaml)}`,
    ),
    ...(options.clouds ? clouds : []).map(
      (it) => `${it.name.padEnd(9)} ${it.milvus.address}, backups in ${it.store.address}, ${shown(it.backupYaml)}`,
    ),
  ].join("\n");
}

try {
  await program.parseAsync();
} catch (error) {
  reportFailure(error, signal);
}
