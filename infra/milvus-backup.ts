import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Stack, Token } from "aws-cdk-lib";
import type { ISecurityGroup, IVpc, SubnetSelection } from "aws-cdk-lib/aws-ec2";
import type { IGrantable, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import type { IBucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { IStateMachine } from "aws-cdk-lib/aws-stepfunctions";
import { Construct } from "constructs";
import { insteadOfDataBuckets } from "../src/core/deployment/bucket-root.ts";
import { checkPipeline, parsePipelineYaml } from "../src/core/deployment/yaml.ts";
import type { Machine } from "../src/core/execution/machines.ts";
import { keyPolicyStatements } from "./encryption.ts";
import { apiCallerStatement, type People, type PeopleRole, peopleStatements } from "./people.ts";
import type { PipelineOptions } from "./pipeline-options.ts";
import { Pipeline } from "./pipeline-stack.ts";
import { settingsOf } from "./settings.ts";

/** What lies below a root path of a bucket. */
export interface MilvusBackupBucket {
  readonly bucket: IBucket;
  /** As in backup.yaml: `files` of a Milvus, `backup` of backups; "" for the whole bucket. */
  readonly rootPath: string;
}

export interface MilvusBackupProps {
  /** Names the deployment: its functions, machines, alarms and the place of registered environments. The stack's name where absent. */
  readonly name?: string;
  /** What `pipeline.yaml` would say: as an object, or the path of such a file. Nothing but the state machines where absent. */
  readonly pipeline?: PipelineOptions | string;
  /** Where the functions' own roles may read Milvus's data, with the keys of the buckets: for environments with `useIAM: true`. */
  readonly milvusBuckets?: readonly MilvusBackupBucket[];
  /** Where they may read and write backups, likewise. */
  readonly backupBuckets?: readonly MilvusBackupBucket[];
  /** Where exports may be written to with those roles, with the keys of the buckets. */
  readonly exportBuckets?: readonly MilvusBackupBucket[];
  /** ARNs of roles that the functions may assume: for environments with `roleArn`. */
  readonly assumableRoleArns?: readonly string[];
  /**
   * Customer-managed key of whatever the deployment keeps: `encryptionKeyArn`. What services need is added to the policy of a key of the same
   * app; that of another one has to have it (docs/policies/encryption-key.json).
   */
  readonly encryptionKey?: IKey;
  /** Customer-managed key of the pipeline's own bucket, in its place. */
  readonly workBucketKey?: IKey;
  /** Where the functions run; needed where Milvus is only reached from within a VPC. Wins over the section `network`. */
  readonly vpc?: IVpc;
  /** Of `vpc`; private ones with a way out by default. */
  readonly vpcSubnets?: SubnetSelection;
  /** Of `vpc`; one for each function by default, with every way out open. */
  readonly securityGroups?: readonly ISecurityGroup[];
  /** Where the functions' code is: `NAME/index.js` of each. That of this package by default. */
  readonly functionsDirectory?: string;
}

/**
 * Serverless backups and migrations for Milvus, in the milvus-backup format: work bucket, Lambdas, state machines, and what the options
 * add. The command finds it by the outputs of the stack it stands in: `milvus-backup --stack NAME`.
 */
export class MilvusBackup extends Construct {
  /** `backup`, `restore` ...; their inputs are told in state-machines/README.md. */
  readonly stateMachines: ReadonlyMap<Machine, IStateMachine>;
  /** Hears of failures and alarms; absent without the section `alarms`. */
  readonly topic: ITopic | undefined;
  /** Address of the REST API, `https://.../api/v1`; undefined without the section `api`. */
  readonly apiUrl: string | undefined;
  /** What of it can be called, for policies: `arn:aws:execute-api:...:ID/` and `*` for its stage, method and paths; undefined likewise. */
  readonly apiArn: string | undefined;

  readonly #people: People;

  constructor(scope: Construct, id: string, props: MilvusBackupProps = {}) {
    super(scope, id);
    const stack = Stack.of(this);
    if (stack.node.findAll().some((other) => other !== this && other instanceof MilvusBackup)) {
      throw new Error(
        `stack ${stack.node.path} has a MilvusBackup already: the command finds one by a stack's outputs`,
      );
    }
    const name = props.name ?? (Token.isUnresolved(stack.stackName) ? undefined : stack.stackName);
    if (stack.nested || name === undefined) {
      throw new Error(
        "MilvusBackup stands in a stack of its own name, not in a nested one: the command reads its outputs",
      );
    }
    const pipeline = readPipeline(props.pipeline);
    const { milvusBuckets = [], backupBuckets = [], exportBuckets = [], vpc, vpcSubnets, securityGroups } = props;
    if ("dataBuckets" in props) throw new Error(`MilvusBackup, dataBuckets ${insteadOfDataBuckets}`);
    const settings = settingsOf(
      { stack: name, assumableRoles: props.assumableRoleArns },
      {
        ...pipeline,
        ...(props.encryptionKey && { encryptionKeyArn: props.encryptionKey.keyArn }),
        ...(props.workBucketKey && { workBucketKeyArn: props.workBucketKey.keyArn }),
      },
      (key) => `MilvusBackup, ${key === "stack" ? "name" : key}`,
    );
    const keys = [...milvusBuckets, ...backupBuckets, ...exportBuckets].flatMap(({ bucket: { encryptionKey } }) =>
      encryptionKey ? [encryptionKey.keyArn] : [],
    );
    // Names that are not known before the deployment are no names as the file has them.
    const rootOf = ({ bucket, rootPath }: MilvusBackupBucket) => {
      if (!Token.isUnresolved(rootPath) && /[*?$]/.test(rootPath))
        throw new Error(
          `MilvusBackup, rootPath ${rootPath}: a policy takes *, ? and $ for patterns and variables, which reach further`,
        );
      return { bucket: bucket.bucketName, rootPath: rootPath.replace(/^\/+|\/+$/g, "") };
    };
    const data = {
      ...settings.data,
      milvusBuckets: milvusBuckets.map(rootOf),
      backupBuckets: backupBuckets.map(rootOf),
      exportBuckets: exportBuckets.map(rootOf),
      dataKeys: [...new Set(keys)],
    };
    for (const statement of keyPolicyStatements(this, name)) props.encryptionKey?.addToResourcePolicy(statement);
    const created = new Pipeline(this, "Default", {
      settings: { ...settings, data },
      bundles: { directoryOf: (functionName) => codeOf(props.functionsDirectory ?? packaged, functionName) },
      network: vpc && {
        vpc,
        ...(vpcSubnets && { vpcSubnets }),
        ...(securityGroups && { securityGroups: [...securityGroups] }),
      },
    });
    this.stateMachines = new Map(
      [...created.stateMachines].map(([machine, { stateMachine }]) => [machine, stateMachine]),
    );
    this.topic = created.topic;
    this.apiArn = created.api?.arn;
    this.apiUrl = created.api?.url;
    this.#people = created.people;
  }

  /** Lets somebody start a machine: a schedule, a pipeline of CI, another function. */
  grantStart(machine: Machine, grantee: IGrantable): void {
    const stateMachine = this.stateMachines.get(machine);
    if (stateMachine === undefined)
      throw new Error(`there is no machine ${machine}: ${[...this.stateMachines.keys()]}`);
    stateMachine.grantStartExecution(grantee);
  }

  /** Lets somebody see what executions did, and change nothing: docs/policies/auditor.json. */
  grantAudit(grantee: IGrantable): void {
    this.#grant("auditor", grantee);
  }

  /** Lets somebody see that, and start and stop backups: docs/policies/operator.json. */
  grantOperate(grantee: IGrantable): void {
    this.#grant("operator", grantee);
  }

  /**
   * Lets somebody see that, and start and stop restores and drills: docs/policies/restorer.json. Into which environments is for
   * `allowedEnvironments` to say.
   */
  grantRestore(grantee: IGrantable): void {
    this.#grant("restorer", grantee);
  }

  /**
   * Lets somebody call the REST API, whatever it is for: backups, restores, deletions of its environment. docs/policies/api-caller.json; a
   * policy of your own names single requests.
   */
  grantCallApi(grantee: IGrantable): void {
    if (this.apiArn === undefined) throw new Error("MilvusBackup has no API: pipeline.api makes one");
    this.#add([apiCallerStatement(this.apiArn)], grantee);
  }

  #grant(role: PeopleRole, grantee: IGrantable): void {
    this.#add(peopleStatements(this, role, this.#people), grantee);
  }

  #add(statements: readonly PolicyStatement[], { grantPrincipal }: IGrantable): void {
    for (const statement of statements) {
      if (grantPrincipal.addToPrincipalPolicy(statement).statementAdded) continue;
      throw new Error(
        `${grantPrincipal} has no policy that could be added to: give a role, a user or a group (Role.fromRoleArn)`,
      );
    }
  }
}

/** Beside the construct in the package. */
const packaged = join(import.meta.dirname, "..", "functions");

function codeOf(directory: string, name: string): string {
  const code = join(directory, name);
  if (existsSync(join(code, "index.js"))) return code;
  throw new Error(`there is no ${join(code, "index.js")}: the functions are built with the package (npm run build)`);
}

function readPipeline(given: MilvusBackupProps["pipeline"]) {
  if (typeof given !== "string") return checkPipeline(given ?? {}, "MilvusBackup, pipeline");
  if (!existsSync(given)) throw new Error(`MilvusBackup, pipeline: there is no file ${given}`);
  return parsePipelineYaml(readFileSync(given, "utf8"), given);
}
