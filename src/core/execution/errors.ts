/**
 * How a fault is to be treated; decided once, where it is first seen (the adapters and the checks of the steps).
 * - transient: the same call may succeed later (throttling, a network error, a server starting up)
 * - outage: nobody answers. On the first contact of an execution that is a wrong address, and permanent; once who is asked has answered
 *   in this execution it restarts, and is waited for
 * - permanent: it will fail the same way until somebody changes something (bad input, missing bucket, wrong credentials)
 * - integrity: what was read or written is not what it should be; never retried blindly, never ignored
 */
type FaultKind = "transient" | "outage" | "permanent" | "integrity";

interface ErrorDefinition {
  readonly kind: FaultKind;
}

/** Every error of the pipeline by name. The names of the transient ones are what the state machines retry. */
const errorDefinitions = {
  // what the caller sent
  InvalidInput: { kind: "permanent" },
  InvalidEnvironment: { kind: "permanent" },
  UnknownEnvironment: { kind: "permanent" },
  EnvironmentChanged: { kind: "permanent" },
  EnvironmentProtected: { kind: "permanent" },
  EnvironmentNotAllowed: { kind: "permanent" },
  CollectionNotFound: { kind: "permanent" },
  BackupExists: { kind: "permanent" },
  BackupNotFound: { kind: "permanent" },
  TargetExists: { kind: "permanent" },
  SchemaMismatch: { kind: "permanent" },
  UnsupportedByTarget: { kind: "permanent" },
  UnsupportedData: { kind: "permanent" },
  AlreadyRunning: { kind: "permanent" },
  BackupInUse: { kind: "permanent" },
  BackupLocked: { kind: "permanent" },
  ForeignObjects: { kind: "permanent" },
  ClaimLost: { kind: "permanent" },
  // what the pipeline talks to
  MilvusUnreachable: { kind: "outage" },
  MilvusUnauthenticated: { kind: "permanent" },
  MilvusFailed: { kind: "permanent" },
  MilvusBusy: { kind: "transient" },
  StoreUnreachable: { kind: "outage" },
  StoreAccessDenied: { kind: "permanent" },
  StoreFailed: { kind: "permanent" },
  StoreBusy: { kind: "transient" },
  BucketNotFound: { kind: "permanent" },
  ObjectNotFound: { kind: "permanent" },
  ObjectArchived: { kind: "permanent" },
  ImportFailed: { kind: "permanent" },
  // what the steps run on
  StepKilled: { kind: "permanent" },
  StepTimedOut: { kind: "permanent" },
  // what does not match
  CorruptBackup: { kind: "integrity" },
  UntrustedBackup: { kind: "integrity" },
  InconsistentSegments: { kind: "integrity" },
  CopyMismatch: { kind: "integrity" },
  RowCountMismatch: { kind: "integrity" },
  DrillFailed: { kind: "integrity" },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorName = keyof typeof errorDefinitions;

/** The names a state machine may retry in every state. */
export const transientErrorNames: readonly ErrorName[] = namesOf("transient");

/** The names a state machine retries in the states after its first step, by when everything has answered. */
export const outageErrorNames: readonly ErrorName[] = namesOf("outage");

/**
 * Faults of the functions themselves, by the names that Step Functions gives them: `Lambda.` and an exception of Lambda's API
 * (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html), or what the runtime reports of a process.
 */
export const lambdaErrors = {
  /** The service, or the way to it. */
  service: [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
  ],
  /** A function in a VPC that nobody called for weeks lost its network and gets it again; one that is deployed gets it for the first time. */
  waking: ["Lambda.ResourceNotReadyException", "Lambda.ResourceConflictException"],
  /** EC2 has no network interface or no address for it, or is asked too often. */
  network: [
    "Lambda.EC2ThrottledException",
    "Lambda.EC2UnexpectedException",
    "Lambda.ENILimitReachedException",
    "Lambda.SubnetIPAddressLimitReachedException",
  ],
  /** As many run as the account, or what is reserved for the function, lets. */
  throttled: ["Lambda.TooManyRequestsException"],
  /** The process was ended, for its memory as a rule. */
  killed: ["Runtime.ExitError", "Runtime.OutOfMemory"],
  /** It ran out of time, or ended without saying why. */
  unanswered: ["Sandbox.Timedout", "Lambda.Unknown", "States.Timeout"],
} as const;

function namesOf(kind: FaultKind): ErrorName[] {
  return (Object.keys(errorDefinitions) as ErrorName[]).filter((name) => errorDefinitions[name].kind === kind);
}

export function isErrorName(text: string): text is ErrorName {
  return Object.hasOwn(errorDefinitions, text);
}

/** Values that help to understand an error; never secrets, never 64-bit IDs as numbers. */
type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Clients of other stores are files of their own beside a function's, each with its copy of this class: the mark is one. */
const mark = Symbol.for("milvus-backup.PipelineError");

/** The one error class of the pipeline. `name` is a literal, so Step Functions and tests can match on it. */
export class PipelineError extends Error {
  override readonly name: ErrorName;
  readonly details: ErrorDetails;
  readonly [mark] = true;

  /**
   * @param message what is wrong and what to do about it, for the person who started the execution
   */
  constructor(name: ErrorName, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = name;
    this.details = options.details ?? {};
  }

  /** The same fault in other words. */
  retold(message: string): PipelineError {
    return new PipelineError(this.name, message, { details: this.details, cause: this });
  }

  get kind(): FaultKind {
    return errorDefinitions[this.name].kind;
  }
}

Object.defineProperty(PipelineError, Symbol.hasInstance, {
  value(this: unknown, thrown: unknown): boolean {
    if (this !== PipelineError) return Function.prototype[Symbol.hasInstance].call(this as () => void, thrown);
    return typeof thrown === "object" && thrown !== null && mark in thrown;
  },
});

/** What is wrong, of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
