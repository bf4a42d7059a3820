import { changedSettings, environmentChanged } from "../../src/core/environment/changes.ts";
import type { Environment, EnvironmentPin, RegisteredEnvironment } from "../../src/core/environment/environment.ts";
import { redact, serializeEnvironment } from "../../src/core/environment/json.ts";
import { PipelineError } from "../../src/core/execution/errors.ts";
import type { EnvironmentRegistry } from "../../src/ports/step-context.ts";

/** Registered environments in memory, with the versions that a secret has: the current one and the one before, older ones are gone. */
export class MemoryRegistry implements EnvironmentRegistry {
  readonly #versions = new Map<string, RegisteredEnvironment[]>();
  #registrations = 0;

  /** Registers under the environment's name; the same content again makes no new version. */
  register(environment: Environment): void {
    const kept = this.#versions.get(environment.name) ?? [];
    const now = kept.at(-1);
    if (now && serializeEnvironment(now) === serializeEnvironment(environment)) return;
    this.#registrations += 1;
    const version = `version-${this.#registrations}`;
    this.#versions.set(environment.name, [...kept.slice(-1), { ...environment, version }]);
  }

  /** Forgets an environment with all of its versions. */
  remove(name: string): void {
    this.#versions.delete(name);
  }

  current(name: string): RegisteredEnvironment {
    const now = this.#versions.get(name)?.at(-1);
    if (now === undefined) throw new PipelineError("UnknownEnvironment", `environment ${name} is not registered`);
    return now;
  }

  async get(name: string, pin?: EnvironmentPin): Promise<RegisteredEnvironment> {
    if (pin === undefined) return this.current(name);
    const now = this.#versions.get(name)?.at(-1);
    if (now?.version === pin.version) return now;
    const before = await this.getVersion(name, pin.version);
    if (now && before && changedSettings(before, now).length === 0) return { ...now, version: pin.version };
    throw before || !now || !pin.settings
      ? environmentChanged(name, before ?? pin.settings, now)
      : environmentChanged(name, pin.settings, redact(now));
  }

  async getVersion(name: string, version: string): Promise<RegisteredEnvironment | undefined> {
    return this.#versions.get(name)?.find((kept) => kept.version === version);
  }
}
