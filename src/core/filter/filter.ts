import { dynamicFieldName, type RowField } from "../binlog/row-fields.ts";
import { isReadable } from "../binlog/values.ts";
import {
  type Comparison,
  type Expression,
  type FieldOperand,
  type Literal,
  type LiteralOperand,
  parseFilter,
} from "./parser.ts";
import { filterProblem } from "./tokens.ts";

/** A filter of rows, bound to the fields of a collection. */
export interface RowFilter {
  /** Those it looks at. */
  readonly fields: readonly RowField[];
  matches(row: { value(field: RowField): unknown }): boolean;
}

type Row = Parameters<RowFilter["matches"]>[0];
type Test = (row: Row) => boolean;
/** What a value is compared as; JSON may be any of them. */
type Kind = "number" | "text" | "bool" | "any";

/**
 * Binds a filter to the fields of a collection. As in Milvus: 64-bit integers are compared exactly, a Float with the value rounded to one,
 * a name that no field has is a dynamic value where the collection has such. A comparison with a value that is not there is false.
 * @throws InvalidInput where it is no filter, names no field, or compares a field with a value of another kind
 */
export function bindFilter(text: string, fields: readonly RowField[]): RowFilter {
  const binder = new Binder(fields);
  const matches = binder.test(parseFilter(text));
  return { fields: [...binder.used], matches };
}

/** What a field operand answers for a row. */
interface Bound {
  readonly kind: Kind;
  readonly field: RowField;
  readonly value: (row: Row) => unknown;
}

class Binder {
  readonly used = new Set<RowField>();
  readonly #fields: readonly RowField[];

  constructor(fields: readonly RowField[]) {
    this.#fields = fields;
  }

  test(expression: Expression): Test {
    switch (expression.kind) {
      case "and": {
        const tests = expression.operands.map((operand) => this.test(operand));
        return (row) => tests.every((test) => test(row));
      }
      case "or": {
        const tests = expression.operands.map((operand) => this.test(operand));
        return (row) => tests.some((test) => test(row));
      }
      case "not": {
        const test = this.test(expression.operand);
        return (row) => !test(row);
      }
      case "compare":
        return this.#comparison(expression);
      case "in": {
        const bound = this.#bind(expression.field);
        const values = expression.values.map((value) => literalFor(bound, value));
        return (row) => {
          const found = bound.value(row);
          return values.some((value) => compare("==", found, value));
        };
      }
      case "like": {
        const bound = this.#bind(expression.field);
        if (bound.kind !== "text" && bound.kind !== "any") throw mismatch(expression.field, bound, "like takes text");
        const pattern = likePattern(expression.pattern);
        return (row) => {
          const found = bound.value(row);
          return typeof found === "string" && pattern.test(found);
        };
      }
      case "null": {
        const bound = this.#bind(expression.field);
        return (row) => (bound.value(row) ?? null) === null;
      }
      case "truth": {
        const bound = this.#bind(expression.field);
        if (bound.kind !== "bool" && bound.kind !== "any")
          throw mismatch(expression.field, bound, "compare it with a value");
        return (row) => bound.value(row) === true;
      }
    }
  }

  #comparison({ operator, left, right, at }: Extract<Expression, { kind: "compare" }>): Test {
    const [first, second] = [left, right].map((operand) =>
      operand.kind === "field" ? this.#bind(operand) : undefined,
    );
    const known = first ?? second;
    if (known === undefined) throw new RangeError("a comparison without a field");
    if (known.kind === "bool" && operator !== "==" && operator !== "!=") {
      throw filterProblem(at, `${operator} does not compare Bools`);
    }
    if (first && second && first.kind !== second.kind && first.kind !== "any" && second.kind !== "any") {
      throw filterProblem(
        at,
        `${first.field.name} is ${first.field.type}, and ${second.field.name} is ${second.field.type}`,
      );
    }
    const value = (bound: Bound | undefined, operand: typeof left) => {
      if (bound !== undefined) return bound.value;
      const literal = operand.kind === "literal" ? literalFor(known, operand) : undefined;
      return () => literal;
    };
    const [one, other] = [value(first, left), value(second, right)];
    return (row) => compare(operator, one(row), other(row));
  }

  #bind(operand: FieldOperand): Bound {
    const declared = this.#fields.find(({ name }) => name === operand.name);
    const dynamic = this.#fields.find(({ isDynamic }) => isDynamic);
    const field = declared ?? dynamic;
    if (field === undefined) {
      const names = this.#fields.map(({ name }) => name).join(", ");
      throw filterProblem(operand.at, `there is no field ${operand.name}; there is: ${names}`);
    }
    if (!isReadable(field)) throw filterProblem(operand.at, `${field.name} is ${field.type}, which is not read yet`);
    const path = declared === undefined ? [operand.name, ...operand.path] : operand.path;
    const kind = kindOf(field, path.length > 0);
    if (kind === undefined)
      throw filterProblem(operand.at, `${field.name} is ${field.type}, no scalar field${hintFor(field)}`);
    this.used.add(field);
    return { kind, field, value: (row) => path.reduce(step, row.value(field)) };
  }
}

function hintFor({ type, name }: RowField): string {
  if (type === "JSON" && name !== dynamicFieldName) return ` by itself: name what lies in it, ${name}["key"]`;
  return type === "Array" ? ` by itself: name an element, ${name}[0]` : "";
}

/** undefined where it cannot be compared. */
function kindOf({ type }: RowField, hasPath: boolean): Kind | undefined {
  if (type === "JSON" || type === "Array") return hasPath ? "any" : undefined;
  if (hasPath) return undefined;
  if (type === "Bool") return "bool";
  if (type === "VarChar") return "text";
  return /^(?:Int(?:8|16|32|64)|Float|Double)$/.test(type) ? "number" : undefined;
}

function step(value: unknown, key: string | number): unknown {
  if (Array.isArray(value)) return typeof key === "number" ? value[key] : undefined;
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

function literalFor(bound: Bound, { value, at }: LiteralOperand): Literal {
  const kind = kindOfLiteral(value);
  if (bound.kind !== "any" && bound.kind !== kind) {
    throw filterProblem(
      at,
      `${bound.field.name} is ${bound.field.type}, and ${JSON.stringify(String(value))} is ${describeKind[kind]}`,
    );
  }
  return bound.field.type === "Float" ? Math.fround(Number(value)) : value;
}

const describeKind = { number: "a number", text: "a text", bool: "a Bool" } as const;

function kindOfLiteral(value: Literal): keyof typeof describeKind {
  if (typeof value === "string") return "text";
  return typeof value === "boolean" ? "bool" : "number";
}

function mismatch({ at }: FieldOperand, { field }: Bound, hint: string): Error {
  return filterProblem(at, `${field.name} is ${field.type}: ${hint}`);
}

/** Two values of one kind; of different kinds, or where one is missing, nothing but `!=` of two present ones holds. */
function compare(operator: Comparison, left: unknown, right: unknown): boolean {
  const [a, b] = [comparable(left), comparable(right)];
  if (a === undefined || b === undefined) return false;
  const numbers = typeof a !== "string" && typeof a !== "boolean" && typeof b !== "string" && typeof b !== "boolean";
  if (!numbers && typeof a !== typeof b) return operator === "!=";
  switch (operator) {
    // JavaScript compares a bigint with a number by their exact values, and only == and != do so for equality.
    case "==":
      return a <= b && a >= b;
    case "!=":
      return !(a <= b && a >= b);
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
  }
}

function comparable(value: unknown): Literal | undefined {
  if (
    typeof value === "bigint" ||
    typeof value === "number" ||
    typeof value === "string" ||
    typeof value === "boolean"
  ) {
    return value;
  }
  // A LosslessNumber of JSON: anything but an integer is a double to Milvus, too.
  return value instanceof Object && "isLosslessNumber" in value ? Number(value) : undefined;
}

/** `%` is any text, `_` any character, `\%` and `\_` are themselves. */
function likePattern(pattern: string): RegExp {
  const source = pattern.replace(/\\[%_]|[%_]|[\\^$.*+?()[\]{}|/]/g, (found) => {
    if (found === "%") return ".*";
    if (found === "_") return ".";
    return found === "\\%" || found === "\\_" ? found.slice(1) : `\\${found}`;
  });
  return new RegExp(`^${source}$`, "su");
}
