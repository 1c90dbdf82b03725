import { describe, expect, it } from "vitest";
import type { ChatEvent, ChatRequest, Part } from "../../../worker/core/chat.ts";
import {
  continuationFor,
  continuationRequest,
  limitSpent,
  Delivered,
  obstacleTo,
} from "../../../worker/routing/continuation/index.ts";

const chat: ChatRequest = {
  model: "group",
  messages: [
    { role: "system", parts: [{ type: "text", text: "Be brief." }] },
    { role: "user", parts: [{ type: "text", text: "tell" }] },
  ],
  stream: true,
  streamUsage: true,
  sampling: { temperature: 0.3, maxOutputTokens: 100 },
  tools: [],
  extra: { service_tier: "flex" },
  dialect: "openai-chat",
};
const open = (part: number, value: Part): ChatEvent => ({ type: "open", choice: 0, part, value });
const delivered = (...events: ChatEvent[]): Delivered => {
  const out = new Delivered();
  for (const event of events) out.push(event);
  return out;
};
const said = (text: string) => delivered(open(0, { type: "text", text }));
const native = { form: "native", prefill: { form: "prefix" } } as const;

describe("the request that asks for the rest", () => {
  it("is the caller's own with the beginning at its end, right-trimmed for who takes it as its own", () => {
    const request = continuationRequest(chat, said("one two \n"), native);
    expect(request).toEqual({
      ...chat,
      sampling: { temperature: 0.3, maxOutputTokens: 97 },
      messages: [
        ...chat.messages,
        { role: "assistant", parts: [{ type: "text", text: "one two" }] },
      ],
      prefill: "prefix",
    });
  });

  it("asks in words behind the beginning as it was delivered", () => {
    const request = continuationRequest(chat, said("one two \n"), { form: "instruction" });
    expect(request?.prefill).toBeUndefined();
    expect(request?.messages.slice(2)).toMatchObject([
      { role: "assistant", parts: [{ text: "one two \n" }] },
      { role: "user" },
    ]);
  });

  it("goes on with a beginning that the caller itself had made", () => {
    const own = { role: "assistant", parts: [{ type: "text", text: "{" }] } as const;
    const request = continuationRequest(
      { ...chat, messages: [...chat.messages, { ...own, parts: [...own.parts] }] },
      said('"a":'),
      native,
    );
    expect(request?.messages.slice(2)).toEqual([
      { role: "assistant", parts: [{ type: "text", text: '{"a":' }] },
    ]);
  });

  it("is the caller's as it was where the caller has nothing but thinking", () => {
    const thought = delivered(open(0, { type: "thinking", text: "well" }));
    const how = continuationFor(chat, thought, { form: "assistant" });
    expect(how).toEqual({ form: "anew" });
    expect(continuationRequest(chat, thought, how)).toBe(chat);
  });

  it("is none where the caller's limit is used up, thinking counted", () => {
    const long = delivered(
      open(0, { type: "thinking", text: "x".repeat(300) }),
      open(1, { type: "text", text: "y".repeat(100) }),
    );
    expect(limitSpent(chat, long)).toBe(true);
    expect(limitSpent({ ...chat, sampling: {} }, long)).toBe(false);
  });
});

describe("whether a target is given the beginning as its own", () => {
  const tools: ChatRequest["tools"] = [{ type: "function", name: "f" }];
  const reasoning = { effort: "high" } as const;
  const form = (request: ChatRequest, prefill?: object) =>
    continuationFor(request, said("one"), prefill && { form: "assistant", ...prefill }).form;

  it("is model data, tools and thinking included", () => {
    expect(form(chat)).toBe("instruction");
    expect(form(chat, {})).toBe("native");
    expect(form({ ...chat, tools }, {})).toBe("instruction");
    expect(form({ ...chat, tools }, { withTools: true })).toBe("native");
    expect(form({ ...chat, reasoning }, { withTools: true })).toBe("instruction");
    expect(form({ ...chat, reasoning }, { withThinking: true })).toBe("native");
    expect(form({ ...chat, reasoning: { effort: "none" } }, {})).toBe("native");
    expect(continuationFor(chat, said(" \n"), { form: "assistant" }).form).toBe("instruction");
  });
});

describe("what stands in the way", () => {
  const delta = (value: object): ChatEvent =>
    ({ type: "delta", choice: 0, part: 0, delta: value }) as ChatEvent;
  it.each<[string, ChatEvent[], RegExp]>([
    ["citations", [delta({ type: "citation", citation: {} })], /citations/],
    ["audio", [open(1, { type: "audio", data: "", format: "wav" })], /audio/],
    [
      "a server tool's block",
      [open(1, { type: "native", dialect: "anthropic", value: {} })],
      /more than text/,
    ],
    [
      "another choice",
      [{ type: "open", choice: 1, part: 0, value: { type: "text", text: "" } }],
      /choices/,
    ],
  ])("%s", (_, events, why) => {
    const got = delivered(open(0, { type: "text", text: "one" }), ...events);
    expect(obstacleTo(chat, got)).toMatch(why);
  });

  it("is its length, from a million characters on", () => {
    const piece = delta({ type: "text", text: "x".repeat(400_000) });
    const long = delivered(open(0, { type: "text", text: "" }), piece, piece);
    expect(obstacleTo(chat, long)).toBeNull();
    long.push(piece);
    expect(obstacleTo(chat, long)).toMatch(/too long/);
    expect(long.text).toHaveLength(800_000);
  });

  it("is nothing for plain text, and only what was said already where the caller has just thinking", () => {
    expect(obstacleTo(chat, said("one"))).toBeNull();
    const json: ChatRequest = { ...chat, responseFormat: { type: "json" } };
    expect(obstacleTo(json, said("{"))).toMatch(/structured/);
    expect(obstacleTo(json, delivered(open(0, { type: "thinking", text: "hm" })))).toBeNull();
    expect(obstacleTo({ ...chat, extra: { audio: { voice: "alloy" } } }, said("one"))).toMatch(
      /audio/,
    );
  });
});
