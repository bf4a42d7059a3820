/** A statement of a role's policy as IAM reads it: every name in it is one. */
export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: "Allow";
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: { readonly StringLike?: Readonly<Record<string, readonly string[]>> };
}

/** What a request has to be allowed. */
export interface Need {
  readonly action: string;
  /** ARN. */
  readonly resource: string;
  /** Condition keys that the request has: `s3:prefix`. */
  readonly context?: Readonly<Record<string, string>>;
  /** AWS asks for it as its documentation says; the emulator does not. */
  readonly documented?: true;
}

/** Whether statements that allow, and nothing else, let a request pass. */
export function allows(statements: readonly PolicyStatement[], need: Need): boolean {
  return statements.some((statement) => covers(statement, need));
}

function covers(
  { Action, Resource, Condition = {} }: PolicyStatement,
  { action, resource, context = {} }: Need,
): boolean {
  const { StringLike = {}, ...unknown } = Condition;
  if (Object.keys(unknown).length > 0) throw new Error(`a condition that is not known here: ${Object.keys(unknown)}`);
  const conditions = Object.entries(StringLike).every(([key, patterns]) => {
    const value = context[key];
    return value !== undefined && patterns.some((pattern) => isLike(value, pattern));
  });
  return conditions && Action.includes(action) && Resource.some((pattern) => isLike(resource, pattern));
}

/** `*` is any text, also with slashes, and `?` any character. */
function isLike(text: string, pattern: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]");
  return new RegExp(`^${escaped}$`).test(text);
}
