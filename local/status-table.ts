import type { ServiceStatus } from "./service.ts";

/** The status of services as a table for a terminal. */
export function formatStatus(services: ServiceStatus[]): string {
  const rows = services.map(({ name, address, pid, health, reason, since }) => [
    name,
    address,
    pid === undefined ? "-" : String(pid),
    reason === undefined ? health : `${health}: ${reason}`,
    since ?? "-",
  ]);
  const table = [["SERVICE", "ADDRESS", "PID", "HEALTH", "SINCE"], ...rows];
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
