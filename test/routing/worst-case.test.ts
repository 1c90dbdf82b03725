import { expect, test } from "vitest";
import { LEAST_OUTPUT } from "../../worker/core/least-output.ts";
import type { ProtocolName } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Deployment } from "../../worker/core/model.ts";
import { openai } from "../protocols/translate.ts";
import { outputWithin, worstCase } from "../../worker/routing/worst-case.ts";

const chat = openai.client.parseRequest({
  model: "m",
  messages: [{ role: "user", content: "hi" }],
  max_tokens: 5,
});
const call = { bytes: 100, chat };
const at = (protocol: ProtocolName) => {
  const facts = { capabilities: {}, prices: { input: 1_000, output: 1_000_000 } };
  return [{ id: protocol, protocol, facts }] as unknown as Deployment[];
};

test("an answer is held for with the limit that is really sent, where a protocol takes none so small", () => {
  expect(worstCase(call, at("openai-chat")).tokens).toBe(105);
  const responses = at("openai-responses");
  expect(worstCase(call, responses).tokens).toBe(100 + LEAST_OUTPUT["openai-responses"]!);
  expect(worstCase(call, responses, 1)).toEqual(worstCase(call, responses));
  const most = worstCase(call, responses);
  expect(worstCase(call, responses, outputWithin(call, responses, most)).cost).toBe(most.cost);
});

test("an image counts by what it can come to, a document by no more than the window: neither by where its bytes lie", () => {
  const ask = (part: JsonObject) => {
    const body = { model: "m", max_tokens: 5, messages: [{ role: "user", content: [part] }] };
    return { bytes: JSON.stringify(body).length, chat: openai.client.parseRequest(body) };
  };
  const image = (url: string) => ({ type: "image_url", image_url: { url } });
  const file = (from: JsonObject) => ({ type: "file", file: { filename: "f", ...from } });
  const data = (type: string, size: number) => `data:${type};base64,${"A".repeat(size)}`;
  const target = at("openai-chat").map((each) => ({
    ...each,
    facts: { ...each.facts, contextWindow: 128_000 },
  }));
  const tokens = (part: JsonObject) => worstCase(ask(part), target).tokens;
  const elsewhere = tokens(image("https://example.com/cat.png"));
  // Providers take a picture for a thousand tokens or several, however short its address is.
  expect(elsewhere).toBeGreaterThan(8_000);
  expect(tokens(image(data("image/png", 40)))).toBeGreaterThan(8_000);
  expect(tokens(image(data("image/png", 4_000_000)))).toBeLessThan(elsewhere + 1_000);
  expect(tokens(file({ file_id: "file-1" }))).toBeGreaterThan(128_000);
  expect(tokens(file({ file_data: data("application/pdf", 1_000) }))).toBeGreaterThan(2_000);
  expect(tokens(file({ file_data: data("application/pdf", 9_000_000) }))).toBeLessThan(129_000);
});
