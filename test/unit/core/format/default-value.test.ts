import { describe, expect, it } from "vitest";
import { defaultValueOf } from "../../../../src/core/format/default-value.ts";
import { fieldSchema } from "../../../../src/core/format/meta.ts";

/** As older milvus-backup versions stored the bytes of a ValueField: as text, by Go's JSON. */
const asGoText = (bytes: readonly number[]) => Buffer.from(bytes).toString("utf8");
const field = (values: { default_value_base64?: string; default_value_proto?: string }) =>
  fieldSchema.create({ name: "f", ...values });

describe("defaultValueOf", () => {
  it("is empty where a field has none", () => {
    expect(defaultValueOf(field({}))).toBe("");
  });

  it("takes base64 as it is, also where both encodings are there", () => {
    expect(defaultValueOf(field({ default_value_base64: "GAU=", default_value_proto: "x" }))).toBe("GAU=");
  });

  it.each([
    ["long 5", [0x18, 5]],
    ["bool true", [0x08, 1]],
    ["string abc", [0x32, 3, 0x61, 0x62, 0x63]],
    ["string é", [0x32, 2, 0xc3, 0xa9]],
    ["string that holds U+FFFD itself", [0x32, 3, 0xef, 0xbf, 0xbd]],
    ["empty string", [0x32, 0]],
  ])("reads the older encoding of %s", (_what, bytes) => {
    expect(defaultValueOf(field({ default_value_proto: asGoText(bytes) }))).toBe(Buffer.from(bytes).toString("base64"));
  });

  it.each([
    ["long 300", [0x18, 0xac, 0x02]],
    ["float 1.0", [0x25, 0x00, 0x00, 0x80, 0x3f]],
    ["string of 200 characters", [0x32, 0xc8, 0x01, ...new Array<number>(200).fill(0x61)]],
  ])("knows that the older encoding of %s was damaged when it was written", (_what, bytes) => {
    expect(defaultValueOf(field({ default_value_proto: asGoText(bytes) }))).toBeUndefined();
  });

  it.each(["GAU", "GA U=", "%%%%", "GAU=="])("refuses %j, which is no base64", (text) => {
    expect(() => defaultValueOf(field({ default_value_base64: text }))).toThrow(
      expect.objectContaining({ name: "CorruptBackup", message: expect.stringContaining("field f") }),
    );
  });
});
