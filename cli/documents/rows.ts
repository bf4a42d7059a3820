import * as z from "zod";
import { count, documentOf, instant } from "./vocabulary.ts";

/** `peek` */
export const peek = documentOf("peek", {
  backupName: z.string(),
  collection: z.string(),
  /** Absent where the backup does not say at which instant it was taken. */
  instant: instant.optional(),
  primaryKey: z.string(),
  fields: z.array(
    z.strictObject({
      field: z.string(),
      type: z.string(),
      elementType: z.string().optional(),
      dim: z.number().optional(),
      /** false: its values are in the backup and not shown. */
      readable: z.literal(false).optional(),
    }),
  ),
  /** 64-bit integers are numbers of up to 19 digits: read them with a parser that keeps them. */
  entities: z.array(z.strictObject({ partition: z.string(), values: z.record(z.string(), z.unknown()) })),
});

const fates = { added: count, changed: count, removed: count, same: count };
const backupAt = z.strictObject({ backupName: z.string(), instant: instant.optional() });
/** Texts or integers of 64 bits: numbers of up to 19 digits. */
const keys = z.array(z.unknown().meta({ type: ["string", "integer"] }));

/** `diff` */
export const diff = documentOf("diff", {
  collection: z.string(),
  earlier: backupAt,
  later: backupAt,
  total: z.strictObject(fates),
  partitions: z.array(z.strictObject({ partition: z.string(), ...fates })),
  /** Fields that only one of them has, or with another type. */
  notCompared: z.array(z.string()),
  keys: z.strictObject({ added: keys, changed: keys, removed: keys }),
  /** false: there are more, `--keys` says how many are listed. */
  keysComplete: z.boolean(),
});
