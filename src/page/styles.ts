/**
 * The look of a page, light and dark. Colours of figures are of Okabe and Ito's set, which people with any kind of colour vision tell
 * apart; those of text have a contrast of 4.5 to 1 or more on what they stand on.
 */
export const styles = `
:root { color-scheme: light dark;
  --page: #f6f8fa; --surface: #ffffff; --text: #1b2530; --muted: #52606d; --line: #d5dde5; --focus: #0072b2;
  --link: #005a8e; --own: #0072b2; --whole: #b7d7ec; --edge: #0072b2; --good: #00694f; --bad: #9c3600; --warn: #6e4f00;
  --good-soft: #e1f4ee; --bad-soft: #fdeadd; --warn-soft: #fdf3d4; --plain-soft: #eceff3; --second: #e69f00; --failed: #d55e00; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0e141a; --surface: #161e27; --text: #e5ecf3; --muted: #a0aebb; --line: #2e3a46; --focus: #7cc7f2;
  --link: #7cc7f2; --own: #56b4e9; --whole: #25485f; --edge: #56b4e9; --good: #57d0ae; --bad: #ff9f66; --warn: #f0c75e;
  --good-soft: #12332b; --bad-soft: #3d2314; --warn-soft: #37300f; --plain-soft: #232d38; --second: #e69f00; --failed: #ff8a3d; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 66rem; padding: 1rem clamp(0.75rem, 3vw, 2rem) 2rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
.skip { position: absolute; left: 0.5rem; top: -4rem; padding: 0.5rem 1rem; background: var(--surface); z-index: 1; }
.skip:focus { top: 0.5rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header { padding: 0.5rem 0 0; }
.eyebrow { margin: 0; color: var(--muted); font-size: 0.8125rem; letter-spacing: 0.04em; }
h1 { margin: 0.1rem 0 0.25rem; font-size: clamp(1.35rem, 4.5vw, 2rem); line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 0.75rem; font-size: 1.2rem; line-height: 1.3; }
h3 { margin: 1.25rem 0 0.5rem; font-size: 1.05rem; overflow-wrap: anywhere; }
h4 { margin: 1rem 0 0.4rem; font-size: 0.95rem; }
.subtitle { margin: 0 0 0.5rem; color: var(--muted); overflow-wrap: anywhere; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin: 0; padding: 0; list-style: none; }
nav a { display: inline-block; padding: 0.25rem 0; }
section { margin-top: 1.25rem; padding: clamp(0.9rem, 3vw, 1.5rem); background: var(--surface); border: 1px solid var(--line);
  border-radius: 0.75rem; }
section p { max-width: 46rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.25rem, 1fr)); gap: 0.75rem; margin: 0; }
.tile { padding: 0.7rem 0.85rem; border: 1px solid var(--line); border-left: 4px solid var(--line); border-radius: 0.5rem; }
.tile.good { border-left-color: var(--good); } .tile.bad { border-left-color: var(--bad); } .tile.warn { border-left-color: var(--warn); }
.tile dt { color: var(--muted); font-size: 0.8125rem; }
.tile dd { margin: 0; }
.tile .value { display: block; font-size: 1.45rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile .detail { display: block; color: var(--muted); font-size: 0.8125rem; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); gap: 0.5rem 1.5rem; margin: 1rem 0 0.75rem; }
.facts dt { color: var(--muted); font-size: 0.8125rem; } .facts dd { margin: 0; overflow-wrap: anywhere; }
.badge { display: inline-block; padding: 0.05rem 0.5rem; border-radius: 1rem; font-size: 0.8125rem; font-weight: 600; white-space: nowrap; }
.badge.good { color: var(--good); background: var(--good-soft); } .badge.bad { color: var(--bad); background: var(--bad-soft); }
.badge.warn { color: var(--warn); background: var(--warn-soft); } .badge.plain { color: var(--muted); background: var(--plain-soft); }
.note { color: var(--muted); font-size: 0.875rem; }
.warnings { padding: 0; list-style: none; } .warnings li { margin: 0.35rem 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 0.5rem 0; }
table { width: 100%; border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.45rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--muted); font-weight: 600; white-space: nowrap; }
tbody th { min-width: 8rem; max-width: 22rem; font-weight: 600; overflow-wrap: break-word; }
td { max-width: 24rem; overflow-wrap: break-word; } td.left { min-width: 7rem; } td code { white-space: nowrap; }
.none { color: var(--muted); }
.right { text-align: right; white-space: nowrap; }
time { white-space: nowrap; }
figure { margin: 0.75rem 0; } figcaption { color: var(--muted); font-size: 0.875rem; }
figure svg { display: block; width: 100%; height: auto; }
.narrow { display: none; }
@media (max-width: 40rem) { .wide { display: none; } .narrow { display: block; } th, td { padding: 0.4rem 0.5rem; }
  tbody th { max-width: 11rem; overflow-wrap: anywhere; } }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; margin: 0.5rem 0 0; padding: 0; list-style: none; color: var(--text); font-size: 0.8125rem; }
.legend svg { display: inline-block; width: 0.9rem; height: 0.9rem; vertical-align: -0.1rem; }
details { margin: 0.5rem 0; } summary { padding: 0.35rem 0; color: var(--link); cursor: pointer; }
code, pre { font: 0.8125rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { overflow-wrap: anywhere; } pre { margin: 0.25rem 0; padding: 0.75rem; overflow-x: auto; background: var(--page); border-radius: 0.5rem; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 1.25rem; color: var(--muted); font-size: 0.8125rem; }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media (prefers-contrast: more) { :root { --muted: var(--text); --line: var(--text); } }
@media print { body { max-width: none; background: none; } section { break-inside: avoid-page; } .skip, nav { display: none; } }
`;
