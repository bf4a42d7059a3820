import { html, raw } from "hono/html";
import { styles } from "./styles.ts";

/** HTML whose values were escaped: what `html` makes of a template. */
export type Html = ReturnType<typeof html>;

/** What a page says of itself in its first bytes; whoever writes a report over a file looks for it. */
export const pageMark = "<!-- milvus-backup report -->";

/** Nothing is loaded and nothing runs: the page is what it says, wherever it is opened. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

interface PageParts {
  readonly title: string;
  /** Right below it: what it is about. */
  readonly subtitle: Html;
  /** ISO 8601. */
  readonly generatedAt: string;
  readonly sections: readonly Section[];
}

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** A whole page: one file, no network, no script. */
export async function pageOf({ title, subtitle, generatedAt, sections }: PageParts): Promise<string> {
  const page = await html`<!doctype html>
${raw(pageMark)}
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="milvus-backup report">
<title>${title} - milvus-backup</title>
<style>${raw(styles)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<p class="eyebrow">milvus-backup report</p>
<h1>${title}</h1>
<p class="subtitle">${subtitle}</p>
<nav aria-label="On this page"><ul>${sections.map(({ id, title: name }) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main id="content" tabindex="-1">
${sections.map(
  ({ id, title: name, body }) => html`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${name}</h2>
${body}
</section>
`,
)}
</main>
<footer><p>Made ${timeOf(generatedAt)} by milvus-backup. Times are UTC.</p></footer>
</body>
</html>
`;
  return String(page);
}

/** A time as people read it, with what a program reads. */
export function timeOf(iso: string, options: { readonly instant?: boolean } = {}): Html {
  const text = iso.slice(0, options.instant ? 23 : 16).replace("T", " ");
  return html`<time datetime="${iso}">${text}</time>`;
}
