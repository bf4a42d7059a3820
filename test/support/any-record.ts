import fc from "fast-check";
import type { Codec, Shape } from "../../src/core/format/meta-codec.ts";

const text = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: "binary", maxLength: 4 }));
const key = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "10", "9", ""));

function arbitraryOf(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case "text":
      return text;
    case "bool":
      return fc.boolean();
    case "int32":
      return fc.oneof(fc.integer(), fc.constantFrom(0, -(2 ** 31), 2 ** 31 - 1));
    case "int64":
      return fc.oneof(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.constantFrom(0n, -1n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n, 470615367219551002n),
      );
    case "uint64":
      return fc.oneof(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.constantFrom(0n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 53n + 1n),
      );
    case "textMap":
      return fc.uniqueArray(fc.tuple(key, text), { maxLength: 3, selector: ([name]) => name }).map(Object.fromEntries);
    case "list":
      return fc.array(arbitraryOf(shape.of), { maxLength: 2 });
    case "optional":
      return fc.option(arbitraryOf(shape.of), { nil: undefined });
    case "record":
      return fc.record(Object.fromEntries(Object.entries(shape.fields).map(([name, of]) => [name, arbitraryOf(of)])));
  }
}

/** Any value a codec's table allows. */
export function anyOf<T>(codec: Codec<T>): fc.Arbitrary<T> {
  return arbitraryOf(codec.shape) as fc.Arbitrary<T>;
}
