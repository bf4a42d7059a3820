import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { changedSettings, environmentChanged, type SettingChange } from "../core/environment/changes.ts";
import type { Environment, RegisteredEnvironment } from "../core/environment/environment.ts";
import { parseStoredEnvironment, redact, serializeEnvironment } from "../core/environment/json.ts";
import { checkEnvironmentName } from "../core/environment/name.ts";
import { checkConfirmed } from "../core/environment/protection.ts";
import { PipelineError } from "../core/execution/errors.ts";
import type { EnvironmentRegistry } from "../ports/step-context.ts";
import { secretsError } from "./secrets-errors.ts";

/** What the CLI does with environments, beyond reading them. */
export interface WritableEnvironmentRegistry extends EnvironmentRegistry {
  /** How an environment stands to what is registered under its name. Changes nothing. */
  compare(environment: Environment): Promise<Comparison>;
  /**
   * Registers an environment under its name. Other content that is registered there stays, unless it is to be replaced; a protected one
   * also unless `confirm` names it.
   * @returns `refused`: other content is registered, and nothing was changed
   * @throws EnvironmentProtected
   */
  put(environment: Environment, options?: PutOptions): Promise<"created" | "updated" | "unchanged" | "refused">;
  /** Names, sorted. */
  list(): Promise<string[]>;
  /** Forgets an environment at once, without a recovery window; throws UnknownEnvironment and, for a protected one that `confirm` does not name, EnvironmentProtected. */
  delete(name: string, options?: Pick<PutOptions, "confirm">): Promise<void>;
}

interface PutOptions {
  readonly replace?: boolean;
  /** The name of the environment once more. */
  readonly confirm?: string | undefined;
}

export type Comparison =
  | { readonly registered: "nothing" }
  | { readonly registered: "same" }
  /** `changes` is empty where somebody changed the secret by hand into something that cannot be read. */
  | { readonly registered: "other"; readonly changes: readonly SettingChange[] };

/**
 * How long a container goes on with what it read, where that is what an execution began with: long enough for one invocation's steps.
 * A change is seen this much later at most, by the next step at the latest.
 */
const defaultCacheMilliseconds = 5_000;

/**
 * Environments in Secrets Manager, one secret each: `<prefix><name>`. A registration is a version of the secret, by its VersionId.
 * Every fault is a PipelineError that names the secret.
 * @param options.prefix such as `milvus-backup/<stack>/environments/`
 */
export function environmentRegistry(options: {
  prefix: string;
  client?: Pick<SecretsManagerClient, "send">;
  cacheMilliseconds?: number;
}): WritableEnvironmentRegistry {
  const { prefix } = options;
  const client = options.client ?? new SecretsManagerClient({});
  const cacheMilliseconds = options.cacheMilliseconds ?? defaultCacheMilliseconds;
  const cache = new Map<string, { environment: RegisteredEnvironment; readAt: number }>();

  /** @param expected the one error that is an answer to the caller, thrown as it is */
  async function asking<T>(
    action: string,
    name: string,
    call: () => Promise<T>,
    expected?: typeof ResourceNotFoundException | typeof ResourceExistsException,
  ): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (expected !== undefined && error instanceof expected) throw error;
      throw secretsError(error, { action: `secretsmanager:${action}`, secret: prefix + name });
    }
  }

  /** undefined where there is no such secret, or no such version of it. */
  async function read(name: string, version?: string): Promise<{ text: string; version: string } | undefined> {
    const request = new GetSecretValueCommand({ SecretId: prefix + name, VersionId: version });
    try {
      const answer = await asking("GetSecretValue", name, () => client.send(request), ResourceNotFoundException);
      const { SecretString, VersionId } = answer;
      return { text: SecretString ?? "", version: VersionId ?? "" };
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  }

  async function readEnvironment(name: string, version?: string): Promise<RegisteredEnvironment | undefined> {
    const found = await read(name, version);
    return found && { ...parseStoredEnvironment(found.text, name), name, version: found.version };
  }

  async function list(): Promise<string[]> {
    const names: string[] = [];
    let NextToken: string | undefined;
    do {
      const request = { Filters: [{ Key: "name" as const, Values: [prefix] }], MaxResults: 100, NextToken };
      const page = await asking("ListSecrets", "*", () => client.send(new ListSecretsCommand(request)));
      for (const { Name } of page.SecretList ?? []) {
        if (Name?.startsWith(prefix)) names.push(Name.slice(prefix.length));
      }
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    return names.sort();
  }

  async function unknown(name: string): Promise<PipelineError> {
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
    if (present === undefined) return { registered: "nothing" };
    const registered = parsedOrUndefined(present.text, environment.name);
    if (registered === undefined) return { registered: "other", changes: [] };
    // as environments, not as texts: an earlier version of this pipeline may have left out what has a default
    if (sameContent(registered, environment)) return { registered: "same" };
    return { registered: "other", changes: changedSettings(registered, environment) };
  }

  /** What is registered is read anew; one that nobody can read protects nothing. */
  async function checkMeant(name: string, confirm: string | undefined, what: string): Promise<void> {
    const present = await read(name);
    const registered = present && parsedOrUndefined(present.text, name);
    checkConfirmed({ name, protected: registered?.protected === true }, confirm, what);
  }

  async function put(
    environment: Environment,
    { replace = false, confirm }: PutOptions = {},
  ): Promise<"created" | "updated" | "unchanged" | "refused"> {
    const { name } = environment;
    const SecretId = prefix + name;
    const SecretString = serializeEnvironment(environment);
    const { registered } = await compare(environment);
    if (registered === "same") return "unchanged";
    if (registered === "other" && !replace) return "refused";
    if (registered === "other") await checkMeant(name, confirm, "nothing else is registered in its place");
    cache.delete(name);
    if (registered === "other") {
      await asking("PutSecretValue", name, () => client.send(new PutSecretValueCommand({ SecretId, SecretString })));
      return "updated";
    }
    const Description = "A Milvus and its object stores, for milvus-backup";
    const request = new CreateSecretCommand({ Name: SecretId, Description, SecretString });
    try {
      await asking("CreateSecret", name, () => client.send(request), ResourceExistsException);
      return "created";
    } catch (error) {
      // somebody registered one of that name in between: it is there now, and looked at like any other
      if (error instanceof ResourceExistsException) return put(environment, { replace, confirm });
      throw error;
    }
  }

  return {
    async get(name, pin) {
      checkEnvironmentName(name);
      const cached = cache.get(name);
      // only what is asked for by its version is taken from there: whoever wants what is registered now gets just that
      if (cached?.environment.version === pin?.version && cached && Date.now() - cached.readAt < cacheMilliseconds) {
        return cached.environment;
      }
      const now = await readEnvironment(name);
      if (now !== undefined) cache.set(name, { environment: now, readAt: Date.now() });
      if (pin === undefined) {
        if (now === undefined) throw await unknown(name);
        return now;
      }
      if (now?.version === pin.version) return now;
      // it only says what changed: that it did is known without it
      const before = await readEnvironment(name, pin.version).catch(() => undefined);
      if (now && before && sameContent(before, now)) return { ...now, version: pin.version };
      throw before || !now || !pin.settings
        ? environmentChanged(name, before ?? pin.settings, now)
        : environmentChanged(name, pin.settings, redact(now));
    },

    async getVersion(name, version) {
      return readEnvironment(checkEnvironmentName(name), version);
    },

    compare,

    put,

    list,

    async delete(name, { confirm } = {}) {
      checkEnvironmentName(name);
      if ((await read(name)) === undefined) throw await unknown(name);
      await checkMeant(name, confirm, "its registration stays");
      cache.delete(name);
      // a recovery window would keep the name taken: the same environment could not be registered again for a week
      const request = new DeleteSecretCommand({ SecretId: prefix + name, ForceDeleteWithoutRecovery: true });
      await asking("DeleteSecret", name, () => client.send(request));
    },
  };
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
