import * as z from "zod";

/** A JSON Schema of draft 7: what editors and validators all know. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * The JSON Schema of a zod schema. It accepts all that the parser accepts; what a function checks (a time zone, an expression) it cannot say.
 * @param io `input`: as it is written, with what has a default left out; `output`: as the parser hands it on
 */
export function jsonSchemaOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  return z.toJSONSchema(schema, {
    target: "draft-7",
    io,
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      // Zod's bound of every integer, and its own word for a text that begins with something.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.format === "starts_with") delete jsonSchema.format;
      // Taken for nothing given where it is null, which is what YAML makes of a key without a value.
      if (io === "input" && isPreprocessed(zodSchema) && zodSchema.safeParse(null).success) {
        jsonSchema.type = [jsonSchema.type ?? "object", "null"].flat() as never;
      }
    },
  });
}

function isPreprocessed(schema: z.core.$ZodType): schema is z.ZodPipe {
  return schema instanceof z.ZodPipe && schema._zod.def.in instanceof z.ZodTransform;
}
