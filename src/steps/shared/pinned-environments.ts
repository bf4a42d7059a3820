import * as z from "zod";
import type { Environment, EnvironmentPin, RegisteredEnvironment } from "../../core/environment/environment.ts";
import { redact } from "../../core/environment/json.ts";
import { sameBucket } from "../../core/environment/storage-identity.ts";
import { PipelineError } from "../../core/execution/errors.ts";
import { parseWorkJson } from "../../core/execution/work-json.ts";
import type { WorkLayout } from "../../core/execution/work-layout.ts";
import { backupLayout } from "../../core/format/layout.ts";
import type { StepContext } from "../../ports/step-context.ts";

const pinRecord = z.record(
  z.string(),
  z.object({
    version: z.string(),
    /** This pipeline wrote it; it is only shown and compared. */
    settings: z.custom<EnvironmentPin["settings"]>((value) => typeof value === "object").optional(),
  }),
);
type Pins = Readonly<Record<string, EnvironmentPin>>;

/**
 * Pins the environments of an execution to what is registered now: the very first thing its first step does. A later run of the step
 * keeps the pin of the first one.
 * @throws what the registry throws
 */
export async function pinEnvironments(
  context: Pick<StepContext, "work" | "environments">,
  layout: WorkLayout,
  names: readonly string[],
): Promise<void> {
  if ((await context.work.head(layout.environments)) !== undefined) return;
  const pins: Pins = Object.fromEntries(
    await Promise.all(
      [...new Set(names)].map(async (name): Promise<[string, EnvironmentPin]> => {
        const { version, ...environment } = await context.environments.get(name);
        return [name, { version, settings: redact(environment) }];
      }),
    ),
  );
  // of two runs of the step at once, one pins, and both go by that
  await context.work.putText(layout.environments, JSON.stringify(pins), {
    ifAbsent: true,
    contentType: "application/json",
  });
}

/**
 * An environment as it was when the execution began: the one way in which steps get theirs. Stores are opened by it too
 * (`pinnedStore`), so that nothing is read from or written to another place than the plan is about.
 * @throws EnvironmentChanged naming what changed, where something else is registered by now; and what the registry throws
 */
export async function pinnedEnvironment(
  context: Pick<StepContext, "work" | "environments">,
  layout: WorkLayout,
  name: string,
): Promise<RegisteredEnvironment> {
  const pins = parsePins(await context.work.getText(layout.environments), layout);
  const pin = pins[name];
  if (pin === undefined) throw new Error(`environment ${name} is not pinned in ${layout.environments}`);
  return context.environments.get(name, pin);
}

/**
 * The environment with which Release gives back what the execution took, whatever is registered by now: today's where it still means
 * the same place (its keys may be newer), otherwise the one the execution began with.
 * @param samePlace whether two environments mean one place, as far as what is given back goes; secrets are not there to compare
 * @returns undefined where nothing was pinned, or the registry keeps what was pinned no more
 * @throws what the registry throws
 */
export async function environmentToRelease(
  context: Pick<StepContext, "work" | "environments">,
  layout: WorkLayout,
  name: string,
  samePlace: (a: Environment, b: Environment) => boolean,
): Promise<RegisteredEnvironment | undefined> {
  const pin = (await pinnedSettings(context, layout))[name];
  if (pin === undefined) return undefined;
  const now = await registeredNow(context, name);
  if (now && (now.version === pin.version || (pin.settings && samePlace(pin.settings, now)))) return now;
  return context.environments.getVersion(name, pin.version);
}

/** Whether two environments keep their backups in one place. */
export function sameBackupPlace(a: Environment, b: Environment): boolean {
  return sameBucket(a.backupStorage, b.backupStorage) && a.backupStorage.rootPath === b.backupStorage.rootPath;
}

/**
 * What a failed execution's message says of a half-written backup that lies where its environment keeps backups no more: commands
 * that name the environment would look for it in the wrong place.
 * @returns undefined where it lies where it should, or where that cannot be told
 */
export async function movedFrom(
  context: Pick<StepContext, "work" | "environments">,
  layout: WorkLayout,
  name: string,
  backupName: string,
): Promise<string | undefined> {
  const pin = (await pinnedSettings(context, layout))[name];
  // Release goes on whatever the registry answers: this is about its words only
  const now = await registeredNow(context, name).catch(() => undefined);
  if (!pin?.settings || now?.version === pin.version) return undefined;
  const was = pin.settings.backupStorage;
  if (now && sameBucket(was, now.backupStorage) && was.rootPath === now.backupStorage.rootPath) return undefined;
  const { root } = backupLayout(was.rootPath, backupName);
  return (
    `they lie in bucket ${was.bucket} at ${was.address}:${was.port} below ${root}, where environment ${name} keeps its backups no more: ` +
    "register its earlier content again to go on from there, or to remove them"
  );
}

/** The environments an execution began with, without their secrets, by name; for messages, and to compare places. */
async function pinnedSettings(context: Pick<StepContext, "work">, layout: WorkLayout): Promise<Pins> {
  const text = await context.work.getTextIfPresent(layout.environments);
  return text === undefined ? {} : parsePins(text, layout);
}

function parsePins(text: string, layout: WorkLayout): Pins {
  return parseWorkJson(text, layout.environments, pinRecord);
}

/** undefined where none is registered that can be read. */
async function registeredNow(
  context: Pick<StepContext, "environments">,
  name: string,
): Promise<RegisteredEnvironment | undefined> {
  try {
    return await context.environments.get(name);
  } catch (error) {
    const gone = error instanceof PipelineError && ["UnknownEnvironment", "InvalidEnvironment"].includes(error.name);
    if (gone) return undefined;
    throw error;
  }
}
