import { expect, it } from "vitest";
import { chargeOf } from "../../worker/core/account.ts";
import type { Answer } from "../../worker/core/call.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Deployment } from "../../worker/core/model.ts";
import { dispatch } from "../../worker/stages/dispatch.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { chosen, chunked, deployment, world, type Script } from "./world.ts";

// What a request is charged, and what is shown of it, where its attempts ended in unusual ways.

const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
const frame = { id: "c1", created: 1, model: "m" };
const kinds = [false, true];

/** An answer of the deployments' provider, in the form that was asked for. */
const answering =
  (content: string | null, finish: string): Script =>
  ({ body }) => {
    if ((JSON.parse(body ?? "") as JsonObject)["stream"] !== true) {
      const message = { role: "assistant", content };
      const choices = [{ index: 0, message, finish_reason: finish }];
      return Response.json({ ...frame, object: "chat.completion", choices, usage });
    }
    const delta = content === null ? {} : { content };
    const object = "chat.completion.chunk";
    const choices = [{ index: 0, delta, finish_reason: finish }];
    const chunks = [
      { ...frame, object, choices },
      { ...frame, object, choices: [], usage },
    ];
    return chunked([
      ...chunks.map((each) => `data: ${JSON.stringify(each)}\n\n`),
      "data: [DONE]\n\n",
    ]);
  };
const withheld = answering(null, "content_filter");

async function textOf(answer: Answer): Promise<string> {
  if (answer.kind === "whole") return String(answer.body);
  let text = "";
  const decoder = new TextDecoder();
  for (let next = await answer.first; next.done !== true; next = await answer.rest.next()) {
    text += decoder.decode(next.value);
  }
  return text;
}

async function asked(script: Script, plan: Deployment[], stream: boolean) {
  const { deps, sent } = world(script);
  const progress = noProgress();
  const body = { model: "group", stream, messages: [{ role: "user", content: "hi" }] };
  const call = chosen(body, plan, { settings: { numRetries: plan.length - 1 } });
  const text = await dispatch(deps, call, progress).then(({ answer }) => textOf(answer), String);
  return { text, sent: sent.length, progress };
}

it.each(kinds)(
  "an answer that a filter ended is shown as it is charged; streamed: %s",
  async (stream) => {
    const { text, progress } = await asked(
      (request, n) => (n === 0 ? withheld(request, n) : new Response("", { status: 500 })),
      [deployment("a"), deployment("b")],
      stream,
    );
    expect(text).toContain("content_filter");
    expect(progress.attempts.map((row) => row.usage.output)).toEqual([2, 0]);
    expect(progress.usage).toEqual(progress.attempts[0]?.usage);
    expect(progress.deployment?.id).toBe("a");
  },
);

it.each(kinds)(
  "an attempt of which nothing was sent is no request; streamed: %s",
  async (stream) => {
    const gone: Deployment = { ...deployment("a"), credentialId: "gone" };
    const alone = await asked(answering("hello", "stop"), [gone], stream);
    expect(alone.sent).toBe(0);
    expect(alone.text).toContain("credential");
    expect(alone.progress.attempts).toMatchObject([
      { error: "deployment", status: 401, sent: false },
    ]);
    expect(chargeOf(alone.progress)).toEqual({ cost: 0, requests: 0, tokens: 0 });

    const then = await asked(answering("hello", "stop"), [gone, deployment("b")], stream);
    expect(then.text).toContain("hello");
    expect(then.progress.attempts.map((row) => row.sent)).toEqual([false, undefined]);
    expect(chargeOf(then.progress)).toMatchObject({ requests: 1, tokens: 7 });

    const refused = await asked(
      () => new Response("{}", { status: 401 }),
      [deployment("b")],
      stream,
    );
    expect(refused.progress.attempts[0]?.sent).toBeUndefined();
    expect(chargeOf(refused.progress)).toEqual({ cost: 0, requests: 1, tokens: 0 });
  },
);
