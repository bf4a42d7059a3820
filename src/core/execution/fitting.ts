/** An execution's state, and the event that announces its end, may have 256 KiB; the execution's input needs room as well. */
const listBytes = 64 * 1024;

/** As many, from the first on, as an execution's answer and the event of its end have room for. */
export function fitting<T>(values: readonly T[], bytes = listBytes): T[] {
  let used = 0;
  const end = values.findIndex((value) => {
    used += Buffer.byteLength(JSON.stringify(value)) + 1;
    return used > bytes;
  });
  return values.slice(0, end < 0 ? values.length : end);
}
