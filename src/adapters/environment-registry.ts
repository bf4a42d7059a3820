import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import type { Environment } from "../core/environment/environment.ts";
import { parseStoredEnvironment, serializeEnvironment } from "../core/environment/json.ts";
import { checkEnvironmentName } from "../core/environment/name.ts";
import { PipelineError } from "../core/execution/errors.ts";
import type { EnvironmentRegistry } from "../ports/step-context.ts";

/** What the CLI does with environments, beyond reading them. */
export interface WritableEnvironmentRegistry extends EnvironmentRegistry {
  /** Registers an environment under its name, or replaces the one of that name. */
  put(environment: Environment): Promise<"created" | "updated" | "unchanged">;
  /** Names, sorted. */
  list(): Promise<string[]>;
  /** Forgets an environment at once, without a recovery window; throws UnknownEnvironment. */
  delete(name: string): Promise<void>;
}

/** How long a container reuses what it read: long enough for one invocation's steps, short enough to see a rotated key. */
const defaultCacheMilliseconds = 5_000;

/**
 * Environments in Secrets Manager, one secret each: `<prefix><name>`.
 * @param options.prefix such as `milvus-backup/<stack>/environments/`
 */
export function environmentRegistry(options: {
  prefix: string;
  client?: SecretsManagerClient;
  cacheMilliseconds?: number;
}): WritableEnvironmentRegistry {
  const { prefix } = options;
  const client = options.client ?? new SecretsManagerClient({});
  const cacheMilliseconds = options.cacheMilliseconds ?? defaultCacheMilliseconds;
  const cache = new Map<string, { environment: Environment; readAt: number }>();

  async function read(name: string): Promise<string | undefined> {
    try {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: prefix + name }));
      return SecretString;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw error;
    }
  }

  async function list(): Promise<string[]> {
    const names: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await client.send(
        new ListSecretsCommand({ Filters: [{ Key: "name", Values: [prefix] }], MaxResults: 100, NextToken }),
      );
      for (const { Name } of page.SecretList ?? []) {
        if (Name?.startsWith(prefix)) names.push(Name.slice(prefix.length));
      }
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    return names.sort();
  }

  async function unknown(name: string): Promise<PipelineError> {
    const registered = await list();
    const known = registered.length > 0 ? `registered are: ${registered.join(", ")}` : "none is registered yet";
    return new PipelineError(
      "UnknownEnvironment",
      `environment ${JSON.stringify(name)} is not registered; ${known}. Register it with: milvus-backup --config FILE env set ${name}`,
      { details: { environment: name, registered } },
    );
  }

  return {
    async get(name) {
      checkEnvironmentName(name);
      const cached = cache.get(name);
      if (cached !== undefined && Date.now() - cached.readAt < cacheMilliseconds) return cached.environment;
      const text = await read(name);
      if (text === undefined) throw await unknown(name);
      const environment = parseStoredEnvironment(text, name);
      cache.set(name, { environment, readAt: Date.now() });
      return environment;
    },

    async put(environment) {
      checkEnvironmentName(environment.name);
      const text = serializeEnvironment(environment);
      const present = await read(environment.name);
      if (present === text) return "unchanged";
      cache.delete(environment.name);
      if (present !== undefined) {
        await client.send(new PutSecretValueCommand({ SecretId: prefix + environment.name, SecretString: text }));
        return "updated";
      }
      const Description = "A Milvus and its object stores, for milvus-backup";
      await client.send(new CreateSecretCommand({ Name: prefix + environment.name, Description, SecretString: text }));
      return "created";
    },

    list,

    async delete(name) {
      checkEnvironmentName(name);
      if ((await read(name)) === undefined) throw await unknown(name);
      cache.delete(name);
      // a recovery window would keep the name taken: the same environment could not be registered again for a week
      await client.send(new DeleteSecretCommand({ SecretId: prefix + name, ForceDeleteWithoutRecovery: true }));
    },
  };
}
