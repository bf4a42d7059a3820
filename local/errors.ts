/** Something the user can set right; shown without a stack trace. */
export class LocalStackError extends Error {
  override readonly name = "LocalStackError";
}
