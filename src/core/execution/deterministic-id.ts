import { createHash } from "node:crypto";

/** A hash of what something is made of, so that running a step again finds the same name. 12 hex digits. */
export function shortHash(...parts: readonly string[]): string {
  return digest(parts).slice(0, 12);
}

/** The same as a UUID (version 8: custom), where the format asks for one. */
export function uuidOf(...parts: readonly string[]): string {
  const hex = digest(parts);
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(18, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

/** The ID in the metas of the backup that an execution makes. */
export function backupIdOf(executionArn: string): string {
  return uuidOf("backup", executionArn);
}

function digest(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
