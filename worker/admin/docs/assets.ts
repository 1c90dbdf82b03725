/** The style of the documents, light and dark by the reader's own setting. */
export const DOCS_STYLE = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#ffffff, #101214);
  --raised: light-dark(#f6f7f8, #181b1f);
  --line: light-dark(#e3e6e9, #2a2f35);
  --text: light-dark(#1b1f24, #e4e7eb);
  --muted: light-dark(#5c6670, #98a2ad);
  --accent: light-dark(#0b62c4, #7db7ff);
  --get: light-dark(#0a6b4a, #5fd3a5);
  --post: light-dark(#0b62c4, #7db7ff);
  --alert: light-dark(#a8361f, #ff9c85);
  --mono: ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, monospace;
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1.5rem; }
body {
  margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  display: grid; grid-template-columns: 19rem minmax(0, 1fr);
}
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
code, pre { font-family: var(--mono); font-size: 0.875em; }
p code, dd code, td code { background: var(--raised); border: 1px solid var(--line); border-radius: 4px; padding: 0 0.3em; }
.muted { color: var(--muted); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--ground); padding: 0.5rem; z-index: 1; }
aside {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem;
  background: var(--raised); border-right: 1px solid var(--line);
}
aside header { font-size: 1.05rem; padding: 0 0.5rem 1rem; }
.search input {
  width: 100%; padding: 0.5rem 0.7rem; font: inherit; font-size: 0.9rem; color: inherit;
  background: var(--ground); border: 1px solid var(--line); border-radius: 7px;
}
nav ul { list-style: none; margin: 0; padding: 0; }
nav .group > span {
  display: block; margin: 1.2rem 0 0.3rem; padding: 0 0.5rem; color: var(--muted);
  font-size: 0.75rem; font-weight: 600; letter-spacing: 0.05em; text-transform: uppercase;
}
nav a {
  display: flex; gap: 0.5rem; align-items: baseline; padding: 0.22rem 0.5rem; border-radius: 6px;
  color: var(--text); font: 0.8rem/1.5 var(--mono);
}
nav a:hover { background: var(--ground); text-decoration: none; }
nav a span { min-width: 0; overflow-wrap: anywhere; }
.method { font: 600 0.7rem/1.5 var(--mono); min-width: 3.9em; color: var(--muted); }
.method.get { color: var(--get); }
.method.post { color: var(--post); }
main { padding: 2.5rem clamp(1.25rem, 4vw, 4rem) 6rem; max-width: 72rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 0.4rem; letter-spacing: -0.02em; }
h2 { font-size: 1.25rem; margin: 3.5rem 0 0; padding-bottom: 0.5rem; border-bottom: 1px solid var(--line); letter-spacing: -0.01em; }
.lead { font-size: 1.05rem; color: var(--muted); margin: 0 0 1.2rem; }
article { padding: 2rem 0 1.5rem; border-bottom: 1px solid var(--line); }
article:last-child { border-bottom: 0; }
h3 { display: flex; gap: 0.7rem; align-items: baseline; margin: 0; font-size: 1.05rem; font-weight: 600; }
h3 a { color: inherit; overflow-wrap: anywhere; }
h3 .method { font-size: 0.8rem; min-width: 0; }
.summary { margin: 0.35rem 0 0.5rem; font-weight: 600; }
article > p { max-width: 44rem; margin: 0.35rem 0; }
dl { display: grid; grid-template-columns: 7rem minmax(0, 1fr); gap: 0.2rem 1rem; margin: 0.9rem 0; font-size: 0.9rem; }
dt { color: var(--muted); }
dd { margin: 0; }
.pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; margin: 1rem 0; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 9px; background: var(--raised); overflow: hidden; }
figcaption { padding: 0.35rem 0.9rem; font-size: 0.75rem; color: var(--muted); border-bottom: 1px solid var(--line); }
pre { margin: 0; padding: 0.8rem 0.9rem; overflow: auto; max-height: 22rem; line-height: 1.5; font-size: 0.8rem; }
pre code { font-size: inherit; }
details { border: 1px solid var(--line); border-radius: 9px; margin: 0.6rem 0; }
summary { cursor: pointer; padding: 0.45rem 0.9rem; font-size: 0.875rem; color: var(--muted); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 0.875rem; }
th { text-align: left; font-weight: 600; color: var(--muted); }
th, td { padding: 0.4rem 0.9rem; border-top: 1px solid var(--line); vertical-align: top; }
td:first-child { white-space: nowrap; }
td:nth-child(2) { color: var(--muted); min-width: 7rem; }
.required { color: var(--alert); font-style: normal; font-size: 0.75rem; margin-left: 0.3rem; }
[hidden] { display: none !important; }
@media (max-width: 60rem) {
  body { grid-template-columns: minmax(0, 1fr); }
  aside { position: static; height: auto; max-height: 45vh; border-right: 0; border-bottom: 1px solid var(--line); }
  .pair { grid-template-columns: minmax(0, 1fr); }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
`;

/** Hides what does not hold every word that the reader types. */
export const DOCS_SEARCH = `
"use strict";
const input = document.getElementById("search");
const none = document.getElementById("none");
const articles = [...document.querySelectorAll("article")];
const texts = new Map(articles.map((each) => [each, each.textContent.toLowerCase()]));
const links = new Map([...document.querySelectorAll("nav a")].map((each) => [each.hash.slice(1), each.parentElement]));
input.addEventListener("input", () => {
  const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const article of articles) {
    const fits = words.every((word) => texts.get(article).includes(word));
    article.hidden = !fits;
    links.get(article.id).hidden = !fits;
    if (fits) shown += 1;
  }
  for (const group of document.querySelectorAll("main section, nav .group")) {
    group.hidden = !group.querySelector("article:not([hidden]), li:not([hidden])");
  }
  none.hidden = shown > 0;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || document.activeElement === input) return;
  event.preventDefault();
  input.focus();
});
`;
