import { expect, test } from "vitest";
import type { FinishReason, Part } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import { dialectOf, protocolOf } from "../../worker/protocols/index.ts";
import { describeWithData } from "../support/data.ts";
import { assemble, readEvents } from "./answers.ts";
import { target } from "./translate.ts";
import type { Loose } from "../support/loose.ts";

const { provider } = protocolOf("cohere");
const openai = dialectOf("openai-chat");

const FINISH: Record<string, FinishReason> = {
  COMPLETE: "stop",
  MAX_TOKENS: "length",
  TOOL_CALL: "tool_calls",
};

/** What an answer says, out of the whole or out of its events. */
function told(events: readonly Loose[]) {
  const said = { text: "", thinking: "", calls: [] as { name: string; arguments: string }[] };
  let last: Loose = {};
  for (const event of events) {
    const message = (event["message"] ?? event["delta"]?.["message"] ?? {}) as Loose;
    said.text += message["tool_plan"] ?? "";
    for (const part of [message["content"] ?? []].flat() as Loose[]) {
      said.text += part["text"] ?? "";
      said.thinking += part["thinking"] ?? "";
    }
    for (const call of [message["tool_calls"] ?? []].flat() as Loose[]) {
      const { name, arguments: text } = call["function"] as Loose;
      if (name) said.calls.push({ name, arguments: text === "null" ? "{}" : text });
      else said.calls.at(-1)!.arguments += text;
    }
    last = event["finish_reason"] ? event : (event["delta"] ?? last);
  }
  return {
    ...said,
    finish: FINISH[last["finish_reason"] as string],
    usage: last["usage"] as Loose,
  };
}

function saidBy(parts: readonly Part[]) {
  const of = (type: "text" | "thinking") =>
    parts.map((part) => (part.type === type ? part.text : "")).join("");
  return {
    text: of("text"),
    thinking: of("thinking"),
    calls: parts.flatMap((part) =>
      part.type === "toolCall" ? [{ name: part.name, arguments: part.arguments }] : [],
    ),
  };
}

describeWithData("recordings of cohere", "recordings/cohere", (data) => {
  const files = data.files.filter((file) => !/embedding|rerank/.test(file));
  test.each(files)("%s is read without loss", (file) => {
    const lines = file.endsWith(".txt")
      ? data
          .text(file)
          .split("\n")
          .filter((line) => line.trim() !== "")
      : [data.text(file)];
    const {
      finish: reason,
      usage: counted,
      ...expected
    } = told(lines.map((line) => JSON.parse(line) as Loose));
    let parts: readonly Part[];
    let finish: FinishReason | null;
    let usage;
    if (file.endsWith(".txt")) {
      const answer = assemble(
        readEvents(
          provider.parseStream(),
          lines.map((line) => ({ data: line })),
        ),
      );
      expect(answer.done).toBe(true);
      ({ parts, finish } = answer.choices.get(0)!);
      ({ usage } = answer);
    } else {
      const answer = provider.parseResponse(JSON.parse(lines[0]!) as JsonObject);
      ({ parts, finish } = answer.choices[0]!);
      ({ usage } = answer);
    }
    expect(saidBy(parts)).toEqual(expected);
    expect(finish).toBe(reason);
    // What is billed counts, not what the model saw.
    expect(usage).toMatchObject({
      input: counted["billed_units"]["input_tokens"],
      output: counted["billed_units"]["output_tokens"],
    });
  });
});

test("a tool that must be called is the only one that is offered", () => {
  const request = openai.client.parseRequest({
    model: "m",
    messages: [
      { role: "user", content: "hi" },
      {
        role: "assistant",
        content: "I look.",
        tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "a", content: "fine" },
    ],
    tools: ["f", "g"].map((name) => ({ type: "function", function: { name } })),
    tool_choice: { type: "function", function: { name: "g" } },
    reasoning_effort: "low",
    top_p: 0.5,
    parallel_tool_calls: false,
  });
  const { body, degraded } = provider.buildRequest(request, target());
  expect(body).toEqual({
    model: "target",
    messages: [
      { role: "user", content: "hi" },
      {
        role: "assistant",
        tool_plan: "I look.",
        tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "a", content: "fine" },
    ],
    stream: false,
    tools: [
      {
        type: "function",
        function: { name: "g", parameters: { type: "object", properties: {} } },
      },
    ],
    tool_choice: "REQUIRED",
    thinking: { type: "enabled", token_budget: 2048 },
    p: 0.5,
  });
  expect(degraded).toEqual(["parallel_tool_calls"]);
});
