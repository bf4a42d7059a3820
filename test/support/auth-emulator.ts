import { tmpdir } from "node:os";
import { join } from "node:path";
import { CloudFormationClient, CreateStackCommand, waitUntilStackCreateComplete } from "@aws-sdk/client-cloudformation";
import { awsService } from "../../local/aws.ts";
import { type Service, startService, stopService } from "../../local/index.ts";

/** In the emulator a 12-digit access key is the root of the account of that number; its secret key is this one. */
const rootSecret = "test";

/** An AWS emulator of a test file's own that enforces IAM: what no policy grants is refused. */
export function authEmulator(name: string, port: number) {
  const base = awsService({ buckets: [] });
  const host = "127.0.0.1";
  const endpoint = `http://${host}:${port}`;
  const dataDir = join(tmpdir(), `milvus-backup-${name}`);
  const service: Service = {
    ...base,
    name,
    address: `${host}:${port}`,
    ports: [port],
    dataDirs: [dataDir],
    async prepare() {
      const command = await base.prepare();
      const places = { HOME: dataDir, TMPDIR: dataDir, STATE_DIR: dataDir, S3_DATA_DIR: join(dataDir, "s3") };
      return {
        ...command,
        cwd: dataDir,
        env: { ...command.env, ...places, GATEWAY_PORT: String(port), AUTH: "true", AWS_SECRET_ACCESS_KEY: rootSecret },
      };
    },
    async checkHealth(signal) {
      const response = await fetch(`${endpoint}/_ministack/ready`, { signal });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
    },
    async provision() {},
  };
  return {
    host,
    port,
    endpoint,
    start: () => startService(service, { afresh: true }),
    stop: () => stopService(service),
    /** `http://KEY:SECRET@HOST:PORT` of an account's root. */
    rootUrl: (account: string) => `http://${account}:${rootSecret}@${host}:${port}`,
    rootCredentials: (account: string) => ({ accessKeyId: account, secretAccessKey: rootSecret }),
    /** Deploys a CloudFormation template in an account. */
    async deploy(account: string, stack: string, template: string, parameters: Readonly<Record<string, string>> = {}) {
      const client = new CloudFormationClient({
        endpoint,
        region: "us-east-1",
        credentials: { accessKeyId: account, secretAccessKey: rootSecret },
      });
      await client.send(
        new CreateStackCommand({
          StackName: stack,
          TemplateBody: template,
          Capabilities: ["CAPABILITY_NAMED_IAM"],
          Parameters: Object.entries(parameters).map(([ParameterKey, ParameterValue]) => ({
            ParameterKey,
            ParameterValue,
          })),
        }),
      );
      await waitUntilStackCreateComplete({ client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { StackName: stack });
      client.destroy();
    },
  };
}
