import type { Id } from "../milvus/descriptions.ts";

/** The names that matter while one collection takes another's place. */
type StandingName = "working" | "target" | "replaced";

/** What stands under a name: the ID of its collection; `alias` where the name is only an alias of that collection. */
export interface Standing {
  readonly id: Id;
  readonly alias: boolean;
  readonly aliases: readonly string[];
}
/** What was seen under the three names; absent where nothing stands. */
export type Sight = Readonly<Partial<Record<StandingName, Standing>>>;

/** Which collections are meant, by their IDs: names change hands, IDs do not. */
export interface Replacement {
  /** The collection that the restore made; absent where it made none yet. */
  readonly made: Id | undefined;
  /** The one that stood under the target name when the restore began; absent where none did. */
  readonly old: Id | undefined;
}

/** What keeps a restore from going on; each needs somebody to look. */
type Obstacle =
  /** The collection that was imported into is gone. */
  | "made-gone"
  /** Another one has its working name. */
  | "made-another"
  /** What stands under the target name is not what stood there when the restore began. */
  | "target-taken"
  /** The name that the old one is to get is taken. */
  | "replaced-taken";

/** The next thing to do on the way to the new collection under the target name; each is one call, or safe to be made again. */
type ReplaceStep =
  | { readonly do: "move-old-aside" | "name-new" | "named" }
  | { readonly do: "stop"; readonly because: Obstacle };

/** Gives the new collection the target name: the old one moves aside first, and nothing is dropped. */
export function nextNaming({ made, old }: Replacement, sight: Sight): ReplaceStep {
  if (made !== undefined && has(sight, "target", made)) return { do: "named" };
  if (made === undefined || !has(sight, "working", made)) {
    return { do: "stop", because: sight.working === undefined ? "made-gone" : "made-another" };
  }
  if (sight.target === undefined) return { do: "name-new" };
  if (old === undefined || !has(sight, "target", old)) return { do: "stop", because: "target-taken" };
  return sight.replaced === undefined ? { do: "move-old-aside" } : { do: "stop", because: "replaced-taken" };
}

/** Whether the old collection stands aside while the new one has its name: all that is left is its aliases and itself. */
export function isReplaced({ made, old }: Replacement, sight: Sight): boolean {
  return made !== undefined && old !== undefined && has(sight, "target", made) && has(sight, "replaced", old);
}

/** What a discard does about one collection: nothing that was good before is missing afterwards. */
type DiscardStep =
  /** `drop-new`: what stands under the working name, if anything does, is of no use to anybody. */
  | { readonly do: "put-old-back" | "drop-new" }
  /** - `new-in-place`: the new one has the target name and the old one stands aside: both are whole
   *  - `target-taken`: the old one stands aside, and another one has its name
   *  - `only-copy`: the old one is gone, and nothing stands under its name */
  | { readonly do: "refuse"; readonly because: "new-in-place" | "target-taken" | "only-copy" };

/** What a discard does next: an old collection that moved aside gets its name back before the new one is dropped. */
export function nextDiscarding(replacement: Replacement, sight: Sight): DiscardStep {
  const { old } = replacement;
  if (old === undefined || has(sight, "target", old)) return { do: "drop-new" };
  if (has(sight, "replaced", old)) {
    if (sight.target === undefined) return { do: "put-old-back" };
    return { do: "refuse", because: isReplaced(replacement, sight) ? "new-in-place" : "target-taken" };
  }
  if (sight.target === undefined && sight.working !== undefined) return { do: "refuse", because: "only-copy" };
  return { do: "drop-new" };
}

/**
 * Which collection a restore replaces, as it begins or begins again.
 * @param remembered the one an earlier execution of the same restore saw
 * @returns `taken` where that one stands aside and somebody made another under its name: nobody may choose between the two
 */
export function oldOne(
  { made, old: remembered }: Replacement,
  sight: Sight,
): { readonly old: Id | undefined } | "taken" {
  const { target } = sight;
  const there = target === undefined || target.id === made ? undefined : target.id;
  if (remembered === undefined || !has(sight, "replaced", remembered)) return { old: there };
  return there === undefined ? { old: remembered } : "taken";
}

/**
 * What stands where, as a sentence without its end: for messages, which nobody may have to guess from.
 * @param names qualified
 */
export function tellSight(
  { made, old }: Replacement,
  names: { readonly working: string; readonly target: string; readonly replaced?: string },
  sight: Sight,
): string {
  const { target } = sight;
  const restored = made !== undefined && has(sight, "target", made);
  const under = (name: StandingName, id: Id | undefined) => id !== undefined && has(sight, name, id);
  return [
    target === undefined
      ? `nothing stands as ${names.target}`
      : restored
        ? `${names.target} is the restored one`
        : under("target", old)
          ? `${names.target} is what stood there before`
          : `${names.target} is another one`,
    under("working", made) && `the restored one stands as ${names.working}`,
    under("replaced", old) && `what stood there before stands as ${names.replaced}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** Whether this very collection has a name; an alias of it does not count. */
function has(sight: Sight, name: StandingName, id: Id): boolean {
  return sight[name]?.id === id && !sight[name].alias;
}
