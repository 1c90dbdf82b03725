import { expect, test } from "vitest";
import { LEAST_OUTPUT } from "../../worker/core/least-output.ts";
import type { ProtocolName } from "../../worker/core/chat.ts";
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
