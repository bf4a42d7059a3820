/** An execution's state, and the event that announces its end, may have 256 KiB; the execution's input needs room as well. */
const listBytes = 64 * 1024;

/** Of sentences beside such a list. */
export const warningsBytes = 32 * 1024;

/**
 * As many warnings as fit, and one that says where all are: a result that is too large ends an execution at once, without Release.
 * @param where `plan.json in the work bucket`
 */
export function fittingWarnings(warnings: readonly string[], where: string): string[] {
  const shown = fitting(warnings, warningsBytes);
  const left = warnings.length - shown.length;
  return left === 0 ? shown : [...shown, `${left} more warnings are left out here: ${where} has all`];
}

/** As many, from the first on, as an execution's answer and the event of its end have room for. */
export function fitting<T>(values: readonly T[], bytes = listBytes): T[] {
  let used = 0;
  const end = values.findIndex((value) => {
    used += Buffer.byteLength(JSON.stringify(value)) + 1;
    return used > bytes;
  });
  return values.slice(0, end < 0 ? values.length : end);
}
