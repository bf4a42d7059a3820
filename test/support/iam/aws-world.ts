import { CreateKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SFNClient, StartExecutionCommand } from "@aws-sdk/client-sfn";
import { environmentRegistry } from "../../../src/adapters/environment-registry.ts";
import type { Environment } from "../../../src/core/environment/environment.ts";
import type { authEmulator } from "../auth-emulator.ts";
import type { PipelineWorld } from "../pipeline-world.ts";
import { place } from "./needs.ts";
import type { PolicyStatement } from "./policy.ts";
import { machineArn, rolesTemplates, stack, workBucket } from "./role-policies.ts";

/** Everything of `data-of-partner`, whom environments name as their role. */
const allOfS3: PolicyStatement = { Sid: "All", Effect: "Allow", Action: ["s3:*"], Resource: ["*"] };
export const dataRole = "data-of-partner";

/** An account in an emulator with enforced IAM, by the hands of its root: what is there before anything runs, and what happens to it. */
export class AwsWorld {
  readonly #emulator: ReturnType<typeof authEmulator>;
  readonly #world: PipelineWorld;
  readonly #s3: S3Client;
  readonly #options: { readonly region: string; readonly endpoint: string; readonly credentials: object };

  constructor(emulator: ReturnType<typeof authEmulator>, world: PipelineWorld) {
    this.#emulator = emulator;
    this.#world = world;
    const { endpoint } = emulator;
    this.#options = { region: place.region, endpoint, credentials: emulator.rootCredentials(place.account) };
    this.#s3 = new S3Client({ ...this.#options, forcePathStyle: true } as never);
  }

  /** Buckets with what the memory has in them, Object Lock where backups lie, and a machine whose executions do not end by themselves. */
  async prepare(buckets: readonly string[]): Promise<void> {
    for (const Bucket of [...buckets, workBucket]) {
      await this.#s3.send(
        new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: Bucket.startsWith("backups-") }),
      );
      await this.upload(Bucket, this.#world.bucket(Bucket).keys());
    }
    await this.makeRoles("roles", [[dataRole, [allOfS3]]]);
    const machine = { StartAt: "Wait", States: { Wait: { Type: "Wait", Seconds: 3600, End: true } } };
    const Properties = {
      StateMachineName: `${stack}-restore`,
      RoleArn: `arn:aws:iam::${place.account}:role/${dataRole}`,
      DefinitionString: JSON.stringify(machine),
    };
    const Resources = { Restore: { Type: "AWS::StepFunctions::StateMachine", Properties } };
    await this.#emulator.deploy(place.account, "machines", JSON.stringify({ Resources }));
  }

  async makeRoles(name: string, roles: Parameters<typeof rolesTemplates>[0]): Promise<void> {
    await Promise.all(
      rolesTemplates(roles).map((template, index) =>
        this.#emulator.deploy(place.account, `${name}-${index}`, template),
      ),
    );
  }

  /**
   * Registers each environment of the world three times: with the functions' own roles (streamed: the emulator locks nothing that it copies
   * itself), the same with copies in parts, and by a role of its own.
   */
  async register(names: readonly string[], port: number, iamEndpoint: string): Promise<void> {
    const client = new SecretsManagerClient(this.#options as never);
    const registry = environmentRegistry({ prefix: `milvus-backup/${stack}/environments/`, client });
    const roleArn = `arn:aws:iam::${place.account}:role/${dataRole}`;
    for (const name of names) {
      const { storage, backupStorage, ...environment } = this.#world.environment(name);
      const add = (suffix: string, role: string, rest: Partial<Environment>) => {
        const credentials = { kind: "iam", roleArn: role, externalId: "", iamEndpoint } as const;
        return registry.put({
          ...environment,
          name: `${name}${suffix}`,
          gcPause: { enable: false, address: "" },
          storage: { ...storage, port, credentials },
          backupStorage: { ...backupStorage, port, credentials },
          ...rest,
        });
      };
      await add("", "", { copyMode: "streamed" });
      await add("-in-parts", "", { multipartCopyThresholdBytes: 1 });
      await add("-by-role", roleArn, {});
    }
  }

  /** @returns the ARN of a new key that signs, which the account's policies may let its roles use */
  async makeSigningKey(): Promise<string> {
    const keys = new KMSClient(this.#options as never);
    const { KeyMetadata } = await keys.send(
      new CreateKeyCommand({ KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY" }),
    );
    return KeyMetadata?.Arn ?? "";
  }

  async beginRestore(name: string): Promise<void> {
    const states = new SFNClient(this.#options as never);
    await states.send(new StartExecutionCommand({ stateMachineArn: machineArn("restore"), name }));
  }

  /** Puts what lies in memory where AWS has it. */
  async upload(Bucket: string, keys: readonly string[]): Promise<void> {
    for (const Key of keys) {
      const Body = this.#world.bucket(Bucket).bytes(Key) ?? "";
      await this.#s3.send(new PutObjectCommand({ Bucket, Key, Body }));
    }
  }

  /** Puts what lies below a prefix into memory, where Milvus's stand-in looks. */
  async download(bucket: string, prefix: string): Promise<void> {
    const memory = this.#world.bucket(bucket);
    for (const key of await this.keys(bucket, prefix)) {
      if (memory.bytes(key) === undefined) memory.seed(key, await this.read(bucket, key));
    }
  }

  async keys(Bucket: string, Prefix: string): Promise<string[]> {
    const { Contents = [] } = await this.#s3.send(new ListObjectsV2Command({ Bucket, Prefix }));
    return Contents.flatMap(({ Key }) => (Key === undefined ? [] : [Key]));
  }

  async read(Bucket: string, Key: string): Promise<Buffer> {
    const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket, Key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  async remove(Bucket: string, prefixes: readonly string[]): Promise<void> {
    for (const prefix of prefixes) {
      for (const Key of await this.keys(Bucket, prefix)) await this.#s3.send(new DeleteObjectCommand({ Bucket, Key }));
    }
  }

  async put(Bucket: string, Key: string, Body: string): Promise<void> {
    await this.#s3.send(new PutObjectCommand({ Bucket, Key, Body }));
  }

  /** Says in the marks below a prefix that who left them was last heard of hours ago. */
  async age(bucket: string, prefix: string): Promise<void> {
    for (const key of (await this.keys(bucket, prefix)).filter((each) => each.endsWith(".json"))) {
      const mark = JSON.parse((await this.read(bucket, key)).toString());
      if (!("heartbeatAt" in mark)) continue;
      const heartbeatAt = new Date(Date.parse(mark.heartbeatAt) - 3 * 3_600_000).toISOString();
      await this.put(bucket, key, JSON.stringify({ ...mark, heartbeatAt }));
    }
  }

  /** Puts another content in the place of every log below a prefix. */
  async alter(Bucket: string, prefix: string): Promise<void> {
    const logs = (await this.keys(Bucket, prefix)).filter((key) => key.includes("/insert_log/"));
    for (const Key of logs) await this.put(Bucket, Key, "something else");
  }
}
