import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { emptyPipeline } from "../../../src/core/deployment/config.ts";
import { place } from "./needs.ts";
import { machineArn, stack, workBucket } from "./role-policies.ts";

type Handler = (event: unknown, context: object) => Promise<unknown>;

interface Loaded {
  readonly handler: Handler;
  readonly credentials: Readonly<Record<string, string>>;
}

/** What Lambda gives a function besides its credentials. */
const variables = {
  WORK_BUCKET: workBucket,
  ENVIRONMENTS_PREFIX: `milvus-backup/${stack}/environments/`,
  STACK_NAME: stack,
  ALLOWED_ENVIRONMENTS: JSON.stringify(emptyPipeline.allowedEnvironments),
  RESTORE_STATE_MACHINE_ARN: machineArn("restore"),
  BACKUP_STATE_MACHINE_ARN: machineArn("backup"),
  API_ENVIRONMENT: "prod",
  AWS_REGION: place.region,
  POWERTOOLS_LOG_LEVEL: "SILENT",
  POWERTOOLS_METRICS_DISABLED: "true",
};

/** The functions of a deployment, each with its own role: its own handler, loaded anew, run with the credentials of a session of that role. */
export class FunctionPool {
  readonly #endpoint: string;
  readonly #sts: STSClient;
  readonly #load: (name: string) => Promise<{ handler: Handler }>;
  readonly #variables: Readonly<Record<string, string>>;
  readonly #loaded = new Map<string, Promise<Loaded>>();
  /** Names of functions by the access keys of their sessions. */
  readonly functions = new Map<string, string>();

  /**
   * @param endpoint of AWS
   * @param options.load imports `functions/NAME/handler.ts` afresh: no two functions have a client in common
   * @param options.signingKey signs backups
   */
  constructor(
    endpoint: string,
    options: {
      readonly rootCredentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
      readonly load: (name: string) => Promise<{ handler: Handler }>;
      readonly signingKey: string;
    },
  ) {
    this.#variables = { ...variables, SIGN_BACKUPS: options.signingKey };
    this.#endpoint = endpoint;
    this.#load = options.load;
    this.#sts = new STSClient({ endpoint, region: place.region, credentials: options.rootCredentials });
  }

  /** Invokes a function as Lambda does. One at a time: the process has one environment. */
  async invoke(name: string, roleName: string, event: unknown): Promise<unknown> {
    const loading = this.#loaded.get(name) ?? this.#start(name, roleName);
    this.#loaded.set(name, loading);
    const { handler, credentials } = await loading;
    Object.assign(process.env, this.#variables, credentials);
    return handler(structuredClone(event), {
      functionName: name,
      awsRequestId: "request",
      getRemainingTimeInMillis: () => 900_000,
    });
  }

  async #start(name: string, roleName: string): Promise<Loaded> {
    const RoleArn = `arn:aws:iam::${place.account}:role/${roleName}`;
    const { Credentials } = await this.#sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: name }));
    const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
    this.functions.set(AccessKeyId, name);
    const credentials = {
      AWS_ACCESS_KEY_ID: AccessKeyId,
      AWS_SECRET_ACCESS_KEY: SecretAccessKey,
      AWS_SESSION_TOKEN: SessionToken,
      AWS_ENDPOINT_URL: this.#endpoint,
    };
    Object.assign(process.env, this.#variables, credentials);
    const { handler } = await this.#load(name);
    return { handler, credentials };
  }
}
