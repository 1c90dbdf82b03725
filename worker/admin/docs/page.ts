import type { Env, Hono } from "hono";
import { errorRow } from "../../core/errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../core/json.ts";
import { DOCS_SEARCH, DOCS_STYLE } from "./assets.ts";
import { endpoints, errorsByStatus, type Endpoint } from "./endpoints.ts";
import { openApi } from "./openapi.ts";

/** The page loads its own style and search and nothing else; it runs nothing inline and talks to nobody. */
export const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

/** Mounts the documents. They are public and the same for everybody. */
export function mountDocs<E extends Env>(app: Hono<E>): void {
  const asset = (path: string, type: string, make: () => string) => {
    let made: string | undefined;
    app.get(path, () => {
      made ??= make();
      return new Response(made, {
        headers: { ...PAGE_HEADERS, "content-type": type, "cache-control": "no-cache" },
      });
    });
  };
  asset("/openapi.json", "application/json", () => JSON.stringify(openApi()));
  asset("/docs", "text/html; charset=utf-8", docsPage);
  asset("/docs/style.css", "text/css; charset=utf-8", () => DOCS_STYLE);
  asset("/docs/search.js", "text/javascript; charset=utf-8", () => DOCS_SEARCH);
}

/** The page of all endpoints. */
function docsPage(): string {
  const all = endpoints();
  const sections = [...new Set(all.map((each) => each.section))];
  const of = (section: string) => all.filter((each) => each.section === section);
  const nav = sections
    .map(
      (section) =>
        `<li class="group"><span>${escape(section)}</span><ul>${of(section).map(link).join("")}</ul></li>`,
    )
    .join("");
  const body = sections
    .map(
      (section) =>
        `<section><h2>${escape(section)}</h2>${of(section).map(article).join("")}</section>`,
    )
    .join("");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Routero API</title>
<link rel="stylesheet" href="/docs/style.css"><script src="/docs/search.js" defer></script></head>
<body><a class="skip" href="#main">Skip to content</a>
<aside><header><strong>Routero</strong> <span class="muted">API</span></header>
<label class="search"><span class="hidden">Filter endpoints</span><input id="search" type="search" placeholder="Filter: path, field, role…" autocomplete="off"></label>
<nav aria-label="Endpoints"><ul>${nav}</ul></nav></aside>
<main id="main"><h1>API reference</h1>
<p class="lead">Change <code>base_url</code>, keep your SDK. The same data as <a href="/openapi.json">OpenAPI 3.1</a>.</p>
<p>Send a key as <code>Authorization: Bearer sk-…</code> (or <code>x-api-key</code>, <code>api-key</code>, <code>x-goog-api-key</code>). Management calls take the master key or a virtual key whose user has the role. <code>X-Organization-Id</code> names the organization for the master key; without it the first one is meant. Every refusal is <code>{"error": {message, type, param, code}}</code>, faulty fields come with <code>detail[]</code> besides.</p>
<p id="none" class="muted" hidden>Nothing matches.</p>
${body}</main></body></html>`;
}

function link(endpoint: Endpoint): string {
  const [route] = endpoint.http;
  return `<li><a href="#${escape(endpoint.id)}">${badge(route?.method ?? "")}<span>${breakable(route?.path ?? "")}</span></a></li>`;
}

/** A path that may go on in the next line before each of its parts. */
function breakable(path: string): string {
  return escape(path).replaceAll(/(?<=.)[/:]/g, "<wbr>$&");
}

function badge(method: string): string {
  return `<b class="method ${method.toLowerCase()}">${method}</b>`;
}

function article(endpoint: Endpoint): string {
  const [route, ...others] = endpoint.http;
  const also = others.map((each) => `<code>${escape(each.path)}</code>`).join(", ");
  const who = endpoint.permission === null ? "Anybody, without a key" : endpoint.roles.join(", ");
  const facts = [
    ["Who", escape(who)],
    ["Permission", endpoint.permission && `<code>${escape(endpoint.permission)}</code>`],
    ["Audit event", endpoint.event && `<code>${escape(endpoint.event)}</code>`],
    ["Also at", also],
  ].flatMap(([name, value]) => (value ? [`<dt>${name}</dt><dd>${value}</dd>`] : []));
  return `<article id="${escape(endpoint.id)}">
<h3>${badge(route?.method ?? "")} <a href="#${escape(endpoint.id)}"><code>${escape(route?.path ?? "")}</code></a></h3>
<p class="summary">${escape(endpoint.summary)}</p>${endpoint.notes && `<p>${prose(endpoint.notes)}</p>`}
<dl>${facts.join("")}</dl>
${fieldTable(endpoint)}
<div class="pair"><figure><figcaption>Request</figcaption><pre><code>${escape(curl(endpoint))}</code></pre></figure>
<figure><figcaption>Answer</figcaption><pre><code>${escape(JSON.stringify(endpoint.example.output, null, 2))}</code></pre></figure></div>
${errorTable(endpoint)}</article>`;
}

function fieldTable(endpoint: Endpoint): string {
  const rows = [
    ...endpoint.parameters.map((each) =>
      fieldRow(each.name, { type: "string", description: each.description }, true),
    ),
    ...fieldRows(endpoint.input, ""),
  ];
  if (rows.length === 0) return "";
  const what = endpoint.http[0]?.method === "GET" ? "Query" : "Body";
  return `<details><summary>${what}: ${rows.length} fields</summary><div class="scroll"><table>
<thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead><tbody>${rows.join("")}</tbody></table></div></details>`;
}

function fieldRows(schema: JsonObject | null, prefix: string): string[] {
  const properties = schema?.properties;
  if (!isJsonObject(properties)) return [];
  const required = Array.isArray(schema?.required) ? schema.required : [];
  return Object.entries(properties).flatMap(([name, value]) => {
    const field = isJsonObject(value) ? value : {};
    const row = fieldRow(
      prefix + name,
      field,
      required.includes(name) && field.default === undefined,
    );
    return [row, ...fieldRows(present(field), `${prefix}${name}.`)];
  });
}

function fieldRow(name: string, schema: JsonObject, required: boolean): string {
  const { description } = schema;
  const notes = [
    typeof description === "string" ? prose(description) : "",
    schema.default === undefined
      ? ""
      : `Default <code>${escape(JSON.stringify(schema.default))}</code>`,
  ];
  const mark = required ? ' <em class="required">required</em>' : "";
  return `<tr><td><code>${escape(name)}</code>${mark}</td><td>${escape(typeText(schema))}</td><td>${notes.filter(Boolean).join(". ")}</td></tr>`;
}

/** The schema without its null alternative. */
function present(schema: JsonObject): JsonObject {
  const choices = Array.isArray(schema.anyOf) ? schema.anyOf.filter(isJsonObject) : [];
  const [only, another] = choices.filter((each) => each.type !== "null");
  return only !== undefined && another === undefined ? only : schema;
}

function typeText(schema: JsonObject): string {
  if (Array.isArray(schema.enum)) return schema.enum.map(String).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (Array.isArray(schema.anyOf)) {
    const names = schema.anyOf.filter(isJsonObject).map(typeText);
    return [...new Set(names.filter((name) => name !== "null"))].join(" | ");
  }
  if (schema.type === "array") {
    return isJsonObject(schema.items) ? `${typeText(schema.items)}[]` : "array";
  }
  if (Array.isArray(schema.type)) return schema.type.map(String).join(" | ");
  return typeof schema.type === "string" ? schema.type : "any";
}

function errorTable(endpoint: Endpoint): string {
  if (endpoint.errors.length === 0) return "";
  const rows = errorsByStatus(endpoint.errors).map(([status, kinds]) => {
    const codes = [...new Set(kinds.map((kind) => errorRow(kind).code))];
    return `<tr><td>${status}</td><td>${codes.map((code) => `<code>${escape(code)}</code>`).join(" ")}</td></tr>`;
  });
  return `<details><summary>Errors</summary><table><tbody>${rows.join("")}</tbody></table></details>`;
}

function curl(endpoint: Endpoint): string {
  const [route] = endpoint.http;
  const { input } = endpoint.example;
  const path = endpoint.parameters.reduce(
    (text, each) => text.replace(`{${each.name}}`, each.example),
    route?.path ?? "",
  );
  const query = route?.method === "GET" && input !== null ? queryText(input) : "";
  const lines = [`curl $BASE_URL${path}${query}`];
  if (endpoint.permission !== null) lines.push(`-H "Authorization: Bearer $KEY"`);
  if (route?.method !== "GET" && input !== null) {
    lines.push(`-H "Content-Type: application/json"`, `-d '${JSON.stringify(input, null, 2)}'`);
  }
  return lines.join(" \\\n  ");
}

function queryText(input: Record<string, Json>): string {
  const pairs = Object.entries(input).map(
    ([name, value]) =>
      `${name}=${encodeURIComponent(typeof value === "string" ? value : JSON.stringify(value))}`,
  );
  return pairs.length === 0 ? "" : `?${pairs.join("&")}`;
}

/** Text with what stands in backticks as code. */
function prose(text: string): string {
  return escape(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");
}

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
