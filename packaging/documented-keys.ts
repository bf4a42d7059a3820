/**
 * What the documents say about keys: each is told once, in a table for people, and its description in a JSON Schema is read from there.
 * A row counts where its first cell is one or more keys in backquotes; its last cell is what it says about them.
 */
export interface DocumentedKey {
  /** Headings above the table, outermost first, without the page's own. */
  readonly sections: readonly string[];
  readonly key: string;
  /** All cells of the row, as plain text. */
  readonly cells: readonly string[];
  readonly description: string;
}

export function documentedKeys(markdown: string): DocumentedKey[] {
  const found: DocumentedKey[] = [];
  let sections: string[] = [];
  for (const line of markdown.split("\n")) {
    const [, hashes, title] = /^(#{2,6}) (.*)$/.exec(line) ?? [];
    if (hashes !== undefined && title !== undefined) {
      sections = [...sections.slice(0, hashes.length - 2), title.trim()];
      continue;
    }
    if (!/^\|.*\|$/.test(line)) continue;
    const cells = line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    const [first = ""] = cells;
    if (!/^`[^`]+`(?:, `[^`]+`)*$/.test(first)) continue;
    const description = plainText(cells.at(-1) ?? "");
    for (const [, key = ""] of first.matchAll(/`([^`]+)`/g)) {
      found.push({ sections, key, cells: cells.map(plainText), description });
    }
  }
  return found;
}

/** Without links and escapes: what an editor shows. */
function plainText(cell: string): string {
  return cell.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("\\|", "|");
}
