import { PipelineError } from "../execution/errors.ts";
import type { FieldSchema } from "./meta.ts";

/** base64 of a protobuf `schemapb.ValueField`; "" where the field has none; undefined where the backup holds it damaged. */
type DefaultValue = string | undefined;

/**
 * The default value of a field from either of its encodings: `default_value_base64`, or `default_value_proto` of older backups,
 * which holds the bytes as text. There Go replaced every byte that is no UTF-8 by U+FFFD, so that some values (most floats,
 * integers above 127) were lost when the backup was written: undefined for these.
 * @throws CorruptBackup where `default_value_base64` is not base64
 */
export function defaultValueOf(field: FieldSchema): DefaultValue {
  if (field.default_value_base64 !== "") {
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(field.default_value_base64)) {
      throw new PipelineError(
        "CorruptBackup",
        `field ${field.name}: default_value_base64 is not base64: ${field.default_value_base64}`,
      );
    }
    return field.default_value_base64;
  }
  const bytes = Buffer.from(field.default_value_proto, "utf8");
  return isUndamaged(field.default_value_proto, bytes) ? bytes.toString("base64") : undefined;
}

/** Tag of `ValueField.string_data`: field 6, length-delimited. */
const stringTag = 0x32;
/** A length of one byte; a longer one has a byte that is no UTF-8 on its own. */
const longestPlainLength = 0x7f;

function isUndamaged(text: string, bytes: Buffer): boolean {
  if (bytes[0] !== stringTag) return !text.includes("\ufffd");
  const length = bytes[1] ?? 0;
  return length <= longestPlainLength && bytes.length === 2 + length;
}
