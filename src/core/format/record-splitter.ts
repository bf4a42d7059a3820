import { PipelineError } from "../execution/errors.ts";
import { positionAfter, syntaxProblem, type TextPosition, textStart } from "./lossless-json.ts";

/** The text of one item of a list, with where it stands. */
export interface SplitRecord {
  readonly text: string;
  /** From the root to the item: `["collection_backups", 0, "l0_segments", 3]`. */
  readonly path: readonly (string | number)[];
  /** Where in the whole text an index of `text` stands. */
  readonly locate: (index: number) => TextPosition;
}

/** What is left of a text whose long lists were taken out of it: they are empty there. */
export interface SplitRest {
  readonly text: string;
  /** Where in the whole text an index of `text` stood. */
  readonly locate: (index: number) => TextPosition;
}

/** An object or list that is open outside of the lists that are split. */
interface Frame {
  readonly isObject: boolean;
  /** Where it stands, as `lists` names it: `collection_backups[].`. */
  readonly pattern: string;
  /** The key of an object that is being read, the index of a list's item. */
  step: string | number;
  /** Whether a string that begins is a key. */
  wantsKey: boolean;
  /** Keys on the way to a split list that the object has had. */
  readonly had: Set<string>;
}

const quote = 34;
const comma = 44;
const colon = 58;
const openBracket = 91;
const backslash = 92;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

/** About a hundred times a segment with a thousand logs: what is longer has lost a quote or a bracket. */
const longestText = 128 * 2 ** 20;

/**
 * Takes the items of some lists out of a JSON text that comes in chunks, so that a file need not fit into memory: it finds where an
 * item ends by brackets and strings, and whoever parses item and rest finds everything that is no JSON.
 */
export class RecordSplitter {
  readonly #file: string;
  readonly #lists: ReadonlySet<string>;
  /** Every list and every list on the way to one. */
  readonly #followed: ReadonlySet<string>;
  readonly #frames: Frame[] = [];
  #rest = "";
  /** Where the rest goes on in the whole text, by the index in `#rest`. */
  readonly #anchors: { readonly index: number; readonly position: TextPosition }[] = [
    { index: 0, position: textStart },
  ];
  /** The path of the list that is being split; undefined outside of one. */
  #list: readonly (string | number)[] | undefined;
  #items = 0;
  #item = "";
  #itemPosition = textStart;
  /** Brackets that are open within the item. */
  #depth = 0;
  #inString = false;
  /** Whether the chunk before ended within a string, on a backslash that escapes what comes. */
  #escapes = false;
  /** The text of a key that is being read, without its quotes. */
  #key: string | undefined;
  /** Where in the whole text `#chunk[#seen]` stands. */
  #position = textStart;
  #chunk = "";
  #seen = 0;

  /** @param lists where the items stand: `collection_backups[].partition_backups[].segment_backups` */
  constructor(file: string, lists: readonly string[]) {
    this.#file = file;
    this.#lists = new Set(lists);
    this.#followed = new Set(
      lists.flatMap((list) => {
        const parts = list.split("[].");
        return parts.map((_, index) => parts.slice(0, index + 1).join("[]."));
      }),
    );
  }

  /**
   * Reads on, and answers the items that are complete now.
   * @throws CorruptBackup where a list of items is not closed as it should be, is there twice, or an item has no end
   */
  push(chunk: string): SplitRecord[] {
    this.#chunk = chunk;
    this.#seen = 0;
    const found: SplitRecord[] = [];
    let at = 0;
    while (at < chunk.length) at = this.#list ? this.#readItems(at, found) : this.#readRest(at);
    this.#seeTo(chunk.length);
    if (this.#item.length > longestText || this.#rest.length > longestText) {
      const [what, position] = this.#list ? ["an item", this.#itemPosition] : ["the text", this.#position];
      throw syntaxProblem(this.#file, `${what} has no end: a quote or a bracket is missing or too many`, position);
    }
    return found;
  }

  /** What is left at the end of the text; an item that the end cut off is answered with it. */
  end(): { rest: SplitRest; cutOff: SplitRecord | undefined } {
    const text = this.#rest;
    const anchors = [...this.#anchors];
    if (this.#list) anchors.push({ index: text.length, position: this.#position });
    return {
      rest: {
        text,
        locate(index) {
          const anchor = anchors.findLast((candidate) => candidate.index <= index) ?? { index: 0, position: textStart };
          return positionAfter(anchor.position, text, anchor.index, index);
        },
      },
      cutOff: this.#list && this.#item.trim() !== "" ? this.#record() : undefined,
    };
  }

  /** Reads up to the next list to split; answers where that begins, behind its bracket. */
  #readRest(start: number): number {
    const chunk = this.#chunk;
    let at = start;
    for (; at < chunk.length; at += 1) {
      if (this.#inString) {
        const end = this.#endOfString(at);
        if (this.#key !== undefined) this.#key += chunk.slice(at, end < 0 ? chunk.length : end);
        if (end < 0) break;
        at = end;
        this.#endKey();
        continue;
      }
      const frame = this.#frames.at(-1);
      switch (chunk.charCodeAt(at)) {
        case quote:
          this.#inString = true;
          if (frame?.wantsKey) this.#key = "";
          break;
        case colon:
          if (frame) frame.wantsKey = false;
          break;
        case comma:
          if (frame?.isObject) frame.wantsKey = true;
          else if (frame && typeof frame.step === "number") frame.step += 1;
          break;
        case openBrace:
          this.#open(true, this.#patternBelow(frame));
          break;
        case openBracket: {
          const pattern = this.#patternBelow(frame);
          if (this.#lists.has(pattern)) {
            this.#rest += ownCopy(chunk.slice(start, at + 1));
            this.#beginList(at + 1);
            return at + 1;
          }
          this.#open(false, pattern);
          break;
        }
        case closeBrace:
        case closeBracket:
          this.#frames.pop();
          break;
      }
    }
    this.#rest += ownCopy(chunk.slice(start));
    return chunk.length;
  }

  /** Where a value of a frame stands; that of a list's item ends in `[]`. */
  #patternBelow(frame: Frame | undefined): string {
    if (!frame) return "";
    return frame.isObject ? `${frame.pattern}${frame.step}` : `${frame.pattern}[]`;
  }

  #open(isObject: boolean, pattern: string): void {
    const prefix = isObject && pattern !== "" ? `${pattern}.` : pattern;
    this.#frames.push({ isObject, pattern: prefix, step: isObject ? "" : 0, wantsKey: isObject, had: new Set() });
  }

  #endKey(): void {
    const frame = this.#frames.at(-1);
    if (this.#key === undefined || !frame) return;
    const key = unescaped(this.#key);
    this.#key = undefined;
    frame.step = key;
    if (!this.#followed.has(frame.pattern + key)) return;
    // Readers that hold the whole file take the last one: by then the items of the first have gone their way.
    if (frame.had.has(key)) throw this.#twice();
    frame.had.add(key);
  }

  #twice(): PipelineError {
    const path = this.#frames.map(({ step }) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
    return new PipelineError("CorruptBackup", `${this.#file}: ${path.slice(1)} is there twice`, {
      details: { file: this.#file, path: path.slice(1) },
    });
  }

  #beginList(at: number): void {
    this.#list = this.#frames.map(({ step }) => step);
    this.#items = 0;
    this.#beginItem(at);
  }

  #beginItem(at: number): void {
    this.#seeTo(at);
    this.#itemPosition = this.#position;
    this.#item = "";
    this.#depth = 0;
  }

  /** Reads items up to the end of their list; answers where that is. */
  #readItems(start: number, found: SplitRecord[]): number {
    const chunk = this.#chunk;
    let from = start;
    for (let at = start; at < chunk.length; at += 1) {
      if (this.#inString) {
        at = this.#endOfString(at);
        if (at < 0) break;
        continue;
      }
      const char = chunk.charCodeAt(at);
      if (char === quote) this.#inString = true;
      else if (char === openBrace || char === openBracket) this.#depth += 1;
      else if ((char === closeBrace || char === closeBracket) && this.#depth > 0) this.#depth -= 1;
      else if (this.#depth === 0 && (char === comma || char === closeBracket || char === closeBrace)) {
        this.#item += chunk.slice(from, at);
        const isEmptyList = char === closeBracket && this.#items === 0 && this.#item.trim() === "";
        if (!isEmptyList) found.push(this.#record());
        this.#items += 1;
        from = at + 1;
        this.#beginItem(from);
        if (char === closeBracket) return this.#endList(at);
        if (char === closeBrace) throw syntaxProblem(this.#file, "a list ends in }", this.#itemPosition);
      }
    }
    this.#item += chunk.slice(from);
    return chunk.length;
  }

  #record(): SplitRecord {
    const [text, start] = [this.#item, this.#itemPosition];
    const path = [...(this.#list ?? []), this.#items];
    return { text, path, locate: (index) => positionAfter(start, text, 0, index) };
  }

  /** @param at of the closing bracket, which belongs to the rest again */
  #endList(at: number): number {
    this.#list = undefined;
    const { line, column } = this.#position;
    this.#anchors.push({ index: this.#rest.length, position: { line, column: column - 1 } });
    this.#rest += "]";
    return at + 1;
  }

  /** The index of the quote that ends the string one is in; -1 where that is in a later chunk. */
  #endOfString(from: number): number {
    const chunk = this.#chunk;
    let start = from;
    if (this.#escapes) {
      this.#escapes = false;
      start += 1;
    }
    let search = start;
    for (;;) {
      const end = chunk.indexOf('"', search);
      const backslashes = backslashesBefore(chunk, end < 0 ? chunk.length : end, start);
      if (end < 0) {
        this.#escapes = backslashes % 2 === 1;
        return -1;
      }
      if (backslashes % 2 === 0) {
        this.#inString = false;
        return end;
      }
      search = end + 1;
    }
  }

  #seeTo(index: number): void {
    this.#position = positionAfter(this.#position, this.#chunk, this.#seen, index);
    this.#seen = index;
  }
}

function backslashesBefore(text: string, index: number, start: number): number {
  let at = index;
  while (at > start && text.charCodeAt(at - 1) === backslash) at -= 1;
  return index - at;
}

/** A part of a string holds the whole of it in memory for as long as it lives itself. */
function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}

/** What a key says; one that is no JSON is left to whoever parses the rest. */
function unescaped(key: string): string {
  if (!key.includes("\\")) return key;
  try {
    return JSON.parse(`"${key}"`);
  } catch {
    return key;
  }
}
