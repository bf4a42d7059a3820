import { createHash } from "node:crypto";
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  RestoreSecretCommand,
  SecretsManagerClient,
  type SecretsManagerClientConfig,
} from "@aws-sdk/client-secrets-manager";
import { changedSettings, environmentChanged, type SettingChange } from "../core/environment/changes.ts";
import type { Environment, RegisteredEnvironment } from "../core/environment/environment.ts";
import { parseStoredEnvironment, redact, serializeEnvironment } from "../core/environment/json.ts";
import { checkEnvironmentName } from "../core/environment/name.ts";
import { checkConfirmed } from "../core/environment/protection.ts";
import { PipelineError } from "../core/execution/errors.ts";
import type { EnvironmentRegistry } from "../ports/step-context.ts";
import { isBeingDeleted, isNotBeingDeleted, secretsError } from "./secrets-errors.ts";

/** What the CLI does with environments, beyond reading them. */
export interface WritableEnvironmentRegistry extends EnvironmentRegistry {
  /** How an environment stands to what is registered under its name. Changes nothing. */
  compare(environment: Environment): Promise<Comparison>;
  /**
   * Registers an environment under its name. Other content that is registered there stays, unless it is to be replaced; a protected one
   * also unless `confirm` names it. One that was deleted less than a week ago gives its name back: that takes no `replace`.
   * @returns `refused`: other content is registered, and nothing was changed
   * @throws EnvironmentProtected
   */
  put(environment: Environment, options?: PutOptions): Promise<"created" | "updated" | "unchanged" | "refused">;
  /** Names, sorted, without those that were deleted and can be brought back. */
  list(): Promise<string[]>;
  /**
   * Forgets an environment: its secret is kept for 7 days more, in which `restore` brings it back.
   * @param options.force true: it is gone at once and for good, also where it was deleted before
   * @returns until when it can be brought back, undefined where it cannot
   * @throws UnknownEnvironment and, for a protected one that `confirm` does not name, EnvironmentProtected
   */
  delete(name: string, options?: Pick<PutOptions, "confirm"> & { readonly force?: boolean }): Promise<Date | undefined>;
  /**
   * Brings back what was deleted, with the version that it had.
   * @throws UnknownEnvironment where there is nothing to bring back
   */
  restore(name: string): Promise<"restored" | "unchanged">;
}

interface PutOptions {
  readonly replace?: boolean;
  /** The name of the environment once more. */
  readonly confirm?: string | undefined;
}

type Comparison =
  | { readonly registered: "nothing" }
  | { readonly registered: "same" }
  /** `changes` is empty where somebody changed the secret by hand into something that cannot be read. */
  | { readonly registered: "other"; readonly changes: readonly SettingChange[] };

/**
 * How long a container goes on with what it read, where that is what an execution began with: long enough for one invocation's steps.
 * A change is seen this much later at most, by the next step at the latest.
 */
const defaultCacheMilliseconds = 5_000;

/** The shortest time that Secrets Manager keeps what was deleted. */
const recoveryDays = 7;
/** How often a registration begins anew because somebody else changed the same one meanwhile. */
const mostTries = 5;

/** The secret of an environment as it is now; `removed` where it was deleted and can be brought back. */
type Present = { readonly text: string; readonly version: string } | "removed" | undefined;

/**
 * Environments in Secrets Manager, one secret each: `<prefix><name>`. A registration is a version of the secret, by its VersionId.
 * Every fault is a PipelineError that names the secret.
 * @param options.prefix such as `milvus-backup/<stack>/environments/`
 * @param options.keyArn customer-managed key that secrets are made with; Secrets Manager's own where absent
 * @param options.config of the client, where none is given
 */
export function environmentRegistry(options: {
  prefix: string;
  keyArn?: string | undefined;
  config?: SecretsManagerClientConfig;
  client?: Pick<SecretsManagerClient, "send">;
  cacheMilliseconds?: number;
}): WritableEnvironmentRegistry {
  const { prefix } = options;
  const client = options.client ?? new SecretsManagerClient(options.config ?? {});
  const cacheMilliseconds = options.cacheMilliseconds ?? defaultCacheMilliseconds;
  const cache = new Map<string, { environment: RegisteredEnvironment; readAt: number }>();

  /** @param expected which errors are an answer to the caller, thrown as they are */
  async function asking<T>(
    action: string,
    name: string,
    call: () => Promise<T>,
    ...expected: readonly ((error: unknown) => boolean)[]
  ): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (expected.some((is) => is(error))) throw error;
      throw secretsError(error, { action: `secretsmanager:${action}`, secret: prefix + name });
    }
  }

  /** undefined where there is no such secret, or no such version of it. */
  async function read(name: string, version?: string): Promise<Present> {
    const request = new GetSecretValueCommand({ SecretId: prefix + name, VersionId: version });
    try {
      const answer = await asking("GetSecretValue", name, () => client.send(request), isMissing, isBeingDeleted);
      const { SecretString, VersionId } = answer;
      return { text: SecretString ?? "", version: VersionId ?? "" };
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (isBeingDeleted(error)) return "removed";
      throw error;
    }
  }

  function parsed(found: Present, name: string): RegisteredEnvironment | undefined {
    if (found === undefined || found === "removed") return undefined;
    return { ...parseStoredEnvironment(found.text, name), name, version: found.version };
  }

  async function list(): Promise<string[]> {
    const names: string[] = [];
    let NextToken: string | undefined;
    do {
      const request = { Filters: [{ Key: "name" as const, Values: [prefix] }], MaxResults: 100, NextToken };
      const page = await asking("ListSecrets", "*", () => client.send(new ListSecretsCommand(request)));
      for (const { Name, DeletedDate } of page.SecretList ?? []) {
        if (Name?.startsWith(prefix) && DeletedDate === undefined) names.push(Name.slice(prefix.length));
      }
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    return names.sort();
  }

  async function unknown(name: string, present?: Present): Promise<PipelineError> {
    if (present === "removed") {
      return new PipelineError(
        "UnknownEnvironment",
        `environment ${JSON.stringify(name)} is not registered any more: it was removed in the last ${recoveryDays} days. Bring it back with: milvus-backup ` +
          `env restore ${name}, or register another one with: milvus-backup --config FILE env set ${name}`,
        { details: { environment: name, removed: true } },
      );
    }
    // most functions may not list secrets: the error is the same without the names
    const registered = await list().catch(() => undefined);
    const known =
      registered === undefined
        ? ""
        : `; ${registered.length > 0 ? `registered are: ${registered.join(", ")}` : "none is registered yet"}`;
    return new PipelineError(
      "UnknownEnvironment",
      `environment ${JSON.stringify(name)} is not registered${known}. Register it with: milvus-backup --config FILE env set ${name}`,
      { details: { environment: name, ...(registered && { registered }) } },
    );
  }

  async function compare(environment: Environment): Promise<Comparison> {
    const present = await read(checkEnvironmentName(environment.name));
    if (present === undefined || present === "removed") return { registered: "nothing" };
    const registered = parsedOrUndefined(present.text, environment.name);
    if (registered === undefined) return { registered: "other", changes: [] };
    // as environments, not as texts: an earlier version of this pipeline may have left out what has a default
    if (sameContent(registered, environment)) return { registered: "same" };
    return { registered: "other", changes: changedSettings(registered, environment) };
  }

  /** One that nobody can read protects nothing. */
  function checkMeant(name: string, present: Present, confirm: string | undefined, what: string): void {
    const registered = typeof present === "object" ? parsedOrUndefined(present.text, name) : undefined;
    checkConfirmed({ name, protected: registered?.protected === true }, confirm, what);
  }

  async function put(environment: Environment, options: PutOptions = {}): ReturnType<typeof attempt> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt(environment, options);
      } catch (error) {
        // somebody registered, removed or restored one of that name in between: it is looked at again like any other
        if (!isTaken(error) && !isMissing(error) && !isBeingDeleted(error)) throw error;
        if (tries < mostTries) continue;
        throw secretsError(error, { action: "secretsmanager:PutSecretValue", secret: prefix + environment.name });
      }
    }
  }

  async function attempt(
    environment: Environment,
    { replace = false, confirm }: PutOptions,
  ): Promise<"created" | "updated" | "unchanged" | "refused"> {
    const name = checkEnvironmentName(environment.name);
    const SecretString = serializeEnvironment(environment);
    const present = await read(name);
    cache.delete(name);
    if (present === "removed") return putInPlaceOfRemoved(environment);
    if (present === undefined) {
      const Description = "A Milvus and its object stores, for milvus-backup";
      const KmsKeyId = options.keyArn;
      const request = new CreateSecretCommand({ Name: prefix + name, Description, SecretString, KmsKeyId });
      await asking("CreateSecret", name, () => client.send(request), isTaken, isBeingDeleted);
      return "created";
    }
    const registered = parsedOrUndefined(present.text, name);
    if (registered && sameContent(registered, environment)) return "unchanged";
    if (!replace) return "refused";
    checkMeant(name, present, confirm, "nothing else is registered in its place");
    const request = new PutSecretValueCommand({ SecretId: prefix + name, SecretString });
    await asking("PutSecretValue", name, () => client.send(request), isMissing, isBeingDeleted);
    return "updated";
  }

  /**
   * A secret that is being deleted keeps its name and takes no content: it is brought back, and what it had is replaced. Where that does
   * not come to its end, what was removed is removed again; killed in between, it stays, and `put` finds other content.
   */
  async function putInPlaceOfRemoved(environment: Environment): Promise<"created"> {
    const { name } = environment;
    const SecretId = prefix + name;
    const described = await asking(
      "DescribeSecret",
      name,
      () => client.send(new DescribeSecretCommand({ SecretId })),
      isMissing,
    );
    if (described.DeletedDate === undefined) throw changedMeanwhile();
    await bringBack(name);
    const present = await read(name);
    if (typeof present !== "object") throw changedMeanwhile();
    const registered = parsedOrUndefined(present.text, name);
    if (registered && sameContent(registered, environment)) return "created";
    // somebody has replaced it already
    if (!described.VersionIdsToStages?.[present.version]) throw changedMeanwhile();
    const request = new PutSecretValueCommand({
      SecretId,
      SecretString: serializeEnvironment(environment),
      // one version may follow each removal: of two at once with other contents the second one is refused
      ClientRequestToken: hash(present.version, described.DeletedDate.toISOString()),
    });
    try {
      await asking("PutSecretValue", name, () => client.send(request), isMissing, isTaken, isBeingDeleted);
      return "created";
    } catch (error) {
      if (error instanceof PipelineError) await removeAgain(name, present.version);
      throw error;
    }
  }

  /** One that somebody else brought back in between is back. */
  async function bringBack(name: string): Promise<void> {
    cache.delete(name);
    const request = new RestoreSecretCommand({ SecretId: prefix + name });
    try {
      await asking("RestoreSecret", name, () => client.send(request), isMissing, isNotBeingDeleted);
    } catch (error) {
      if (!isNotBeingDeleted(error)) throw error;
    }
  }

  /** What went wrong before is what is told. */
  async function removeAgain(name: string, version: string): Promise<void> {
    const present = await read(name).catch(() => undefined);
    if (typeof present !== "object" || present.version !== version) return;
    const request = { SecretId: prefix + name, RecoveryWindowInDays: recoveryDays };
    await client.send(new DeleteSecretCommand(request)).catch(() => undefined);
  }

  return {
    async get(name, pin) {
      checkEnvironmentName(name);
      const cached = cache.get(name);
      // only what is asked for by its version is taken from there: whoever wants what is registered now gets just that
      if (cached?.environment.version === pin?.version && cached && Date.now() - cached.readAt < cacheMilliseconds) {
        return cached.environment;
      }
      const present = await read(name);
      const now = parsed(present, name);
      if (now !== undefined) cache.set(name, { environment: now, readAt: Date.now() });
      if (pin === undefined) {
        if (now === undefined) throw await unknown(name, present);
        return now;
      }
      if (now?.version === pin.version) return now;
      // it only says what changed: that it did is known without it
      const before = await read(name, pin.version)
        .then((found) => parsed(found, name))
        .catch(() => undefined);
      if (now && before && sameContent(before, now)) return { ...now, version: pin.version };
      throw before || !now || !pin.settings
        ? environmentChanged(name, before ?? pin.settings, now)
        : environmentChanged(name, pin.settings, redact(now));
    },

    async getVersion(name, version) {
      return parsed(await read(checkEnvironmentName(name), version), name);
    },

    compare,

    put,

    list,

    async delete(name, { confirm, force = false } = {}) {
      const present = await read(checkEnvironmentName(name));
      if (present === undefined || (present === "removed" && !force)) throw await unknown(name, present);
      checkMeant(name, present, confirm, "its registration stays");
      cache.delete(name);
      const how = force ? { ForceDeleteWithoutRecovery: true } : { RecoveryWindowInDays: recoveryDays };
      const request = new DeleteSecretCommand({ SecretId: prefix + name, ...how });
      try {
        const answer = await asking("DeleteSecret", name, () => client.send(request), isMissing, isBeingDeleted);
        return force ? undefined : answer.DeletionDate;
      } catch (error) {
        // somebody else did, in between
        throw isMissing(error) || isBeingDeleted(error)
          ? await unknown(name, isMissing(error) ? undefined : "removed")
          : error;
      }
    },

    async restore(name) {
      const present = await read(checkEnvironmentName(name));
      if (present === undefined) throw await unknown(name);
      if (present !== "removed") return "unchanged";
      try {
        await bringBack(name);
      } catch (error) {
        throw isMissing(error) ? await unknown(name) : error;
      }
      return "restored";
    },
  };
}

const isMissing = (error: unknown) => error instanceof ResourceNotFoundException;
const isTaken = (error: unknown) => error instanceof ResourceExistsException;

/** As Secrets Manager answers whoever comes second. */
function changedMeanwhile(): ResourceExistsException {
  return new ResourceExistsException({ message: "it was changed at the same time", $metadata: {} });
}

function hash(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join(" ")).digest("hex");
}

function sameContent(a: Environment, b: Environment): boolean {
  return serializeEnvironment(a) === serializeEnvironment(b);
}

function parsedOrUndefined(text: string, name: string): Environment | undefined {
  try {
    return parseStoredEnvironment(text, name);
  } catch {
    return undefined;
  }
}
