import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { type DetailType, detailTypes, eventDetails, eventSource } from "../../../../src/core/deployment/events.ts";
import { machines } from "../../../../src/core/execution/machines.ts";
import { eventProblems } from "../../../support/json-schemas.ts";

const read = (path: string) => readFileSync(new URL(`../../../../${path}`, import.meta.url), "utf8");

const task = z.object({
  Resource: z.string(),
  Parameters: z.object({
    Entries: z.tuple([
      z.object({ Source: z.string(), DetailType: z.string(), Detail: z.record(z.string(), z.unknown()) }),
    ]),
  }),
});

/** What the state machines put on the bus, from their text. */
const announced = machines.flatMap((machine) => {
  const { States } = JSON.parse(read(`state-machines/${machine}.asl.json`)) as { States: Record<string, unknown> };
  return Object.values(States)
    .map((state) => task.safeParse(state).data)
    .filter((state) => state?.Resource.endsWith(":events:putEvents"))
    .flatMap((state) => state?.Parameters.Entries ?? [])
    .map((entry) => ({ machine, ...entry }));
});

/** The keys of an object schema, required ones without a mark. */
function keysOf(type: DetailType): string[] {
  return Object.keys(eventDetails[type].shape).sort();
}

describe("the events of the state machines", () => {
  it("are those with a schema, but what retention announces", () => {
    expect(announced.map(({ DetailType }) => DetailType).sort()).toEqual(
      detailTypes.filter((type) => !type.startsWith("Retention")).sort(),
    );
  });

  it.each(announced)("$DetailType has the keys of its schema", ({ machine, Source, DetailType, Detail }) => {
    const type = z.enum(detailTypes).parse(DetailType);

    expect(Source).toBe(eventSource);
    expect(
      Object.keys(Detail)
        .map((key) => key.replace(/\.\$$/, ""))
        .sort(),
    ).toEqual(keysOf(type));
    expect(Detail.machine).toBe(machine);
    expect(eventDetails[type].shape.machine.value).toBe(machine);
  });
});

describe("docs/events.md", () => {
  const documented = read("docs/events.md");

  it.each(detailTypes)("describes %s with every key of its result", (type) => {
    const [, section = ""] = new RegExp(`^### ${type}$([\\s\\S]*?)(?=^##|$(?![\\s\\S]))`, "m").exec(documented) ?? [];
    const shape = eventDetails[type].shape;
    const keys = "result" in shape ? Object.keys(shape.result.shape) : Object.keys(shape.failure.shape);

    for (const key of keys) expect(section).toContain(`\`${key}\``);
  });

  it("gives an example of each that its schema takes", () => {
    const examples = [...documented.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text ?? ""));

    expect(examples.map((example) => example["detail-type"]).sort()).toEqual([...detailTypes].sort());
    for (const example of examples) {
      const type = z.enum(detailTypes).parse(example["detail-type"]);
      expect(example.source).toBe(eventSource);
      expect(eventDetails[type].parse(example.detail)).toMatchObject({ stack: "MilvusBackup" });
      expect(eventProblems(example)).toEqual([]);
    }
  });

  it("gives examples whose JSON Schemas refuse another type, another machine and a missing result", () => {
    const [, text = ""] = /### Backup Completed[\s\S]*?```json\n([\s\S]*?)```/.exec(documented) ?? [];
    const example = JSON.parse(text);

    expect(eventProblems({ ...example, "detail-type": "Backup Failed" })).toContain(
      "/detail must have required property 'failure'",
    );
    expect(eventProblems({ ...example, detail: { ...example.detail, machine: "restore" } })).toContain(
      "/detail/machine must be equal to constant",
    );
    const { result: _, ...withoutResult } = example.detail;
    expect(eventProblems({ ...example, detail: withoutResult })).toContain(
      "/detail must have required property 'result'",
    );
  });
});
