import * as z from "zod";
import { parseJson } from "../../../src/core/format/lossless-json.ts";
import { asAnswered } from "../golden-rows.ts";
import { configs, milvusBackup } from "./cli.ts";
import type { Row } from "./snapshot.ts";

const peekDocument = z.object({
  fields: z.array(z.object({ field: z.string(), type: z.string(), elementType: z.string().optional() })),
  entities: z.array(z.object({ partition: z.string(), values: z.record(z.string(), z.unknown()) })),
});

/** What `peek --json` shows, each row as the SDK answers it: 64-bit integers as text. */
export async function peekRows(...args: readonly string[]): Promise<{ partition: string; values: Row }[]> {
  const { stdout, stderr, exitCode } = await milvusBackup("--config", configs.a, "--json", "peek", ...args);
  if (exitCode !== 0) throw new Error(`peek ${args.join(" ")} failed (${exitCode}): ${stderr}`);
  const { fields, entities } = peekDocument.parse(parseJson(stdout, "peek"));
  const named = fields.map(({ field, ...type }) => ({ name: field, ...type }));
  return entities.map(({ partition, values }) => ({ partition, values: asAnswered(values, named) }));
}

/** A row as the SDK answers it, its dynamic fields flat beside the others. */
export function flat({ $meta, ...fields }: Row): Row {
  return { ...fields, ...(typeof $meta === "object" ? $meta : {}) };
}
