import { html } from "hono/html";
import type { Html } from "./document.ts";

export type Tone = "good" | "bad" | "warn" | "plain";

/** What a tone looks like to who sees no colours: each has a sign of its own. */
const signs: Readonly<Record<Tone, string>> = { good: "✓", bad: "✕", warn: "!", plain: "–" };

/** A state: a word with a sign, coloured. */
export function badge(tone: Tone, text: string): Html {
  return html`<span class="badge ${tone}"><span aria-hidden="true">${signs[tone]}</span> ${text}</span>`;
}

export interface Tile {
  readonly label: string;
  readonly value: string;
  readonly detail?: string | Html;
  readonly tone?: Tone;
}

/** The few figures that one looks for first. */
export function tiles(all: readonly Tile[]): Html {
  return html`<dl class="tiles">${all.map(
    ({ label, value, detail, tone }) =>
      html`<div class="tile ${tone ?? "plain"}"><dt>${label}</dt><dd><span class="value">${value}</span>${
        detail === undefined ? "" : html`<span class="detail">${detail}</span>`
      }</dd></div>`,
  )}</dl>`;
}

interface Column {
  readonly title: string;
  /** Numbers. */
  readonly right?: boolean;
}

export type Cell = string | number | Html;

interface TableParts {
  /** What it is a table of: its name for who cannot see where it stands. */
  readonly caption: string;
  readonly columns: readonly Column[];
  /** The first cell of a row is its head. */
  readonly rows: readonly (readonly Cell[])[];
}

/** A table that scrolls sideways where the screen is small, by keyboard too. */
export function table({ caption, columns, rows }: TableParts): Html {
  const align = (index: number) => (columns[index]?.right ? "right" : "left");
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table>
<caption class="hidden">${caption}</caption>
<thead><tr>${columns.map(({ title }, index) => html`<th scope="col" class="${align(index)}">${title}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([head = "", ...cells]) =>
      html`<tr><th scope="row" class="${align(0)}">${head}</th>${cells.map(
        (cell, index) => html`<td class="${align(index + 1)}">${cell}</td>`,
      )}</tr>
`,
  )}</tbody></table></div>`;
}

/** Names and values; those without a value are left out. */
export function facts(pairs: readonly (readonly [string, Cell | undefined])[]): Html {
  const known = pairs.filter((pair): pair is readonly [string, Cell] => pair[1] !== undefined && pair[1] !== "");
  return html`<dl class="facts">${known.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** What is read only by who wants it. */
export function details(summary: string, body: Html): Html {
  return html`<details><summary>${summary}</summary>${body}</details>`;
}

/** Sentences that should be looked at; nothing where there are none. */
export function warningList(warnings: readonly string[]): Html | "" {
  return warnings.length === 0
    ? ""
    : html`<ul class="warnings">${warnings.map((warning) => html`<li>${badge("warn", "warning")} ${warning}</li>`)}</ul>`;
}
