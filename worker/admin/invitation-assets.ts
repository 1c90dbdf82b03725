/** The page that an invitation's link opens. Its style stands on that of the documents. */
export const INVITATION_PAGE = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex"><title>Your invitation</title>
<link rel="stylesheet" href="/docs/style.css"><link rel="stylesheet" href="/invitation/page.css">
<script src="/invitation/page.js" defer></script></head>
<body class="invitation"><main>
<h1>You are invited</h1>
<noscript><p>This page needs JavaScript. Without it, send the part of the address behind # as {"token": "…"} to POST /invitation/claim.</p></noscript>
<form id="form" hidden><p>Accept to become a user of this gateway and to get your key. The link works once.</p>
<label for="name">Your name <span class="muted">(optional)</span></label>
<input id="name" name="name" maxlength="200" autocomplete="name">
<button>Accept</button></form>
<p id="said" role="status"></p>
<section id="done" hidden><h2>Your key</h2>
<p>It is shown once, here. Keep it as you keep a password.</p>
<pre><code id="key"></code></pre><button id="copy" type="button">Copy</button>
<p>Use it in any OpenAI or Anthropic SDK, with the base URL <code id="base"></code>. <a href="/docs">API reference</a></p></section>
</main></body></html>`;

export const INVITATION_STYLE = `
body.invitation { display: block; }
.invitation main { max-width: 38rem; margin: 0 auto; padding-top: 4rem; }
.invitation label { display: block; margin: 1rem 0 0.3rem; }
.invitation input {
  width: 100%; padding: 0.55rem 0.7rem; font: inherit; color: inherit;
  background: var(--ground); border: 1px solid var(--line); border-radius: 7px;
}
.invitation button {
  margin-top: 1rem; padding: 0.55rem 1.2rem; font: inherit; font-weight: 600; cursor: pointer;
  color: var(--ground); background: var(--accent); border: 0; border-radius: 7px;
}
.invitation button:disabled { opacity: 0.5; cursor: default; }
.invitation pre { overflow-x: auto; padding: 0.8rem; background: var(--raised); border: 1px solid var(--line); border-radius: 7px; }
#said { color: var(--alert); }
`;

/** Nothing is sent before the button is pressed: who only looks at a link does not use it up. */
export const INVITATION_SCRIPT = `
const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
const at = (id) => document.getElementById(id);
const say = (text) => { at("said").textContent = text; };
if (token === "") say("This address has no invitation in it: open the whole link.");
else at("form").hidden = false;
at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = at("form").querySelector("button");
  button.disabled = true;
  say("");
  try {
    const name = at("name").value.trim();
    const answer = await fetch("/invitation/claim", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token, ...(name === "" ? {} : { user_alias: name }) }),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error.message);
    at("key").textContent = body.key;
    at("base").textContent = body.base_url;
    at("form").hidden = true;
    at("done").hidden = false;
  } catch (cause) {
    say(cause.message);
    button.disabled = false;
  }
});
at("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(at("key").textContent);
  at("copy").textContent = "Copied";
});
`;
