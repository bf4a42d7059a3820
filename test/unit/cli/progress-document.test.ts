import { describe, expect, test } from "vitest";
import { createProgressDocument } from "../../../cli/output/progress-document.ts";
import { machines } from "../../../src/core/execution/machines.ts";
import { definitionOf } from "../../support/asl-machine.ts";

/** The states of a machine that its own history names, those of maps within the execution too. */
function statesOf(machine: (typeof machines)[number]): string[] {
  return Object.entries(definitionOf(machine).States).flatMap(([name, { Type, ItemProcessor: map }]) => {
    if (name.startsWith("Announce ") || !["Task", "Map", "Wait"].includes(Type)) return [];
    const inner = map?.ProcessorConfig?.Mode === "INLINE" ? Object.entries(map.States) : [];
    return [name, ...inner.flatMap(([within, state]) => (state.Type === "Task" ? [within] : []))];
  });
}

describe.each(machines)("the progress of an execution of %s", (machine) => {
  test.each(statesOf(machine))("says what it does in %s", (state) => {
    const copied = { segments: 0, objects: 0, bytes: 0 };

    expect(createProgressDocument()({ state, progress: { copied } }).phase).not.toBe("starting");
  });
});
