import { filterProblem, type Token, tokensOf } from "./tokens.ts";

export type Literal = bigint | number | string | boolean;
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** A field, with the path into it for a JSON or an Array: `meta["k"][0]`. */
export interface FieldOperand {
  readonly kind: "field";
  readonly name: string;
  readonly path: readonly (string | number)[];
  readonly at: number;
}

export interface LiteralOperand {
  readonly kind: "literal";
  readonly value: Literal;
  readonly at: number;
}

type Operand = FieldOperand | LiteralOperand;

/** A filter, understood; `at` is where in its text something stands, from 0. */
export type Expression =
  | { readonly kind: "and" | "or"; readonly operands: readonly Expression[] }
  | { readonly kind: "not"; readonly operand: Expression }
  | {
      readonly kind: "compare";
      readonly operator: Comparison;
      readonly left: Operand;
      readonly right: Operand;
      readonly at: number;
    }
  | { readonly kind: "in"; readonly field: FieldOperand; readonly values: readonly LiteralOperand[] }
  | { readonly kind: "like"; readonly field: FieldOperand; readonly pattern: string }
  | { readonly kind: "null"; readonly field: FieldOperand }
  | { readonly kind: "truth"; readonly field: FieldOperand };

const comparisons: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
/** Deeper nesting than anybody writes would overflow the stack. */
const deepest = 200;

/**
 * Reads a filter in the language of Milvus's boolean expressions (its `Plan.g4`), as far as it is about scalar fields.
 * @throws InvalidInput that says at which character it stops being a filter, and what is accepted
 */
export function parseFilter(text: string): Expression {
  return new Parser(tokensOf(text)).whole();
}

class Parser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#or();
    const rest = this.#peek();
    if (rest.kind !== "end")
      throw filterProblem(rest.at, `${rest.text} stands where the filter should end or go on with and, or`);
    return expression;
  }

  #or(): Expression {
    return this.#joined("or", ["or", "||"], () => this.#and());
  }

  #and(): Expression {
    return this.#joined("and", ["and", "&&"], () => this.#not());
  }

  #joined(kind: "and" | "or", spellings: readonly string[], operand: () => Expression): Expression {
    const operands = [operand()];
    while (this.#takeAny(spellings)) operands.push(operand());
    return operands.length === 1 && operands[0] ? operands[0] : { kind, operands };
  }

  #not(): Expression {
    if (!this.#takeAny(["not", "!"])) return this.#condition();
    return this.#nested(() => ({ kind: "not", operand: this.#not() }));
  }

  #condition(): Expression {
    if (this.#peek().text === "(" && this.#peek().kind === "symbol") {
      this.#next += 1;
      const inside = this.#nested(() => this.#or());
      this.#expect(")", "the parenthesis is not closed");
      return inside;
    }
    const first = this.#operand();
    const { text, kind } = this.#peek();
    if (kind === "symbol" && comparisons.has(text)) return this.#comparisons(first);
    if (first.kind === "literal")
      throw filterProblem(this.#peek().at, "a value alone is no condition: compare it with a field");
    if (this.#takeAny(["is"])) {
      const negated = this.#takeAny(["not"]);
      this.#expect("null", "is goes on with null or not null");
      return negate(negated, { kind: "null", field: first });
    }
    const negated = this.#takeAny(["not"]);
    if (this.#takeAny(["in"])) return negate(negated, { kind: "in", field: first, values: this.#list() });
    if (this.#takeAny(["like"])) return negate(negated, { kind: "like", field: first, pattern: this.#pattern() });
    if (negated) throw filterProblem(this.#peek().at, "not goes on with in or like here");
    return { kind: "truth", field: first };
  }

  /** `a < b`, or `1 < a <= 5`, which is both of it. */
  #comparisons(first: Operand): Expression {
    const found: Expression[] = [];
    for (let left = first; comparisons.has(this.#peek().text) && this.#peek().kind === "symbol"; ) {
      const { text, at } = this.#take();
      const right = this.#operand();
      if (left.kind === "literal" && right.kind === "literal")
        throw filterProblem(left.at, "two values are compared, and no field");
      found.push({ kind: "compare", operator: text as Comparison, left, right, at });
      left = right;
    }
    const [only] = found;
    return found.length === 1 && only ? only : { kind: "and", operands: found };
  }

  #operand(): Operand {
    const { kind, text, at } = this.#peek();
    if (kind === "name") return this.#field();
    if (kind === "literal" || (kind === "symbol" && (text === "-" || text === "+"))) return this.#literal();
    throw filterProblem(
      at,
      kind === "end"
        ? "it ends where a field or a value should stand"
        : `${text} stands where a field or a value should`,
    );
  }

  #field(): FieldOperand {
    const { text, at } = this.#take();
    const path: (string | number)[] = [];
    while (this.#takeAny(["["])) {
      const { value, at: where } = this.#literal();
      if (typeof value !== "string" && typeof value !== "bigint")
        throw filterProblem(where, "a path goes on with a text or an index");
      path.push(typeof value === "bigint" ? Number(value) : value);
      this.#expect("]", "the bracket is not closed");
    }
    return { kind: "field", name: text, path, at };
  }

  #literal(): LiteralOperand {
    const { at } = this.#peek();
    const minus = this.#takeAny(["-"]);
    const sign = minus || this.#takeAny(["+"]);
    const token = this.#take();
    const { value } = token;
    if (token.kind !== "literal" || value === undefined) throw filterProblem(token.at, "a value should stand here");
    if (sign && typeof value !== "bigint" && typeof value !== "number")
      throw filterProblem(token.at, "a sign goes before a number");
    if (!minus) return { kind: "literal", value, at };
    return { kind: "literal", value: typeof value === "bigint" ? -value : -Number(value), at };
  }

  #list(): LiteralOperand[] {
    this.#expect("[", "in goes on with a list: in [1, 2]");
    const values: LiteralOperand[] = [];
    if (this.#takeAny(["]"])) return values;
    do values.push(this.#literal());
    while (this.#takeAny([","]));
    this.#expect("]", "the list is not closed");
    return values;
  }

  #pattern(): string {
    const { value, at } = this.#literal();
    if (typeof value !== "string") throw filterProblem(at, "like goes on with a text: like 'prefix%'");
    return value;
  }

  #nested(inside: () => Expression): Expression {
    this.#depth += 1;
    if (this.#depth > deepest) throw filterProblem(this.#peek().at, `it is nested more than ${deepest} deep`);
    const expression = inside();
    this.#depth -= 1;
    return expression;
  }

  #peek(): Token {
    const token = this.#tokens[this.#next] ?? this.#tokens.at(-1);
    if (token === undefined) throw new RangeError("no tokens");
    return token;
  }

  #take(): Token {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  /** Steps over the next token where it is one of these keywords or symbols. */
  #takeAny(spellings: readonly string[]): boolean {
    const { kind, text } = this.#peek();
    const found = (kind === "keyword" || kind === "symbol") && spellings.includes(text);
    if (found) this.#next += 1;
    return found;
  }

  #expect(text: string, reason: string): void {
    const { at } = this.#peek();
    if (!this.#takeAny([text])) throw filterProblem(at, reason);
  }
}

function negate(negated: boolean, expression: Expression): Expression {
  return negated ? { kind: "not", operand: expression } : expression;
}
