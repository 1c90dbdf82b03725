import { expect, it } from "vitest";
import type { ChatRequest } from "../../worker/core/chat.ts";
import { PREFILL_FORMS } from "../../worker/core/model.ts";
import { protocolOf } from "../../worker/protocols/index.ts";

const begun: ChatRequest = {
  model: "m",
  messages: [
    { role: "user", parts: [{ type: "text", text: "tell" }] },
    { role: "assistant", parts: [{ type: "text", text: "Once" }] },
  ],
  stream: true,
  streamUsage: true,
  sampling: {},
  tools: [],
  extra: {},
  dialect: "anthropic",
};

it("tells an OpenAI-compatible server in its own words that the last message is the answer's beginning", () => {
  const body = (prefill?: ChatRequest["prefill"]) =>
    protocolOf("openai-chat").provider.buildRequest(
      { ...begun, ...(prefill && { prefill }) },
      { model: "m", facts: { capabilities: {} }, streamUsage: "always" },
    ).body;
  const last = { role: "assistant", content: "Once" };
  const told = PREFILL_FORMS.map((form) => {
    const { messages, continue_final_message, add_generation_prompt } = body(form);
    return [form, (messages as unknown[])[1], continue_final_message, add_generation_prompt];
  });
  expect(told).toEqual([
    ["assistant", last, undefined, undefined],
    ["prefix", { ...last, prefix: true }, undefined, undefined],
    ["partial", { ...last, partial: true }, undefined, undefined],
    ["vllm", last, true, false],
  ]);
  expect(body()["messages"]).toEqual([{ role: "user", content: "tell" }, last]);
});
