import { expect, test } from "vitest";
import type { DialectName } from "../../worker/core/chat.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Deployment } from "../../worker/core/model.ts";
import { prepare } from "../../worker/stages/prepare.ts";
import { chosen, deployment, world } from "./world.ts";

const AFFINITY = 0x00c0ffee;
const ASK: Record<string, JsonObject> = {
  "openai-chat": { model: "group", messages: [{ role: "user", content: "hi" }] },
  anthropic: { model: "group", max_tokens: 9, messages: [{ role: "user", content: "hi" }] },
  "openai-responses": { model: "group", input: "hi" },
};

async function sent(dialect: DialectName, to: Deployment, more: JsonObject = {}) {
  const { deps } = world(() => new Response());
  const call = chosen({ ...ASK[dialect], ...more }, [to], { dialect });
  call.explanation.affinity = AFFINITY;
  const { request, degraded } = await prepare(deps, call, to);
  return { key: (JSON.parse(request.body ?? "") as JsonObject)["prompt_cache_key"], degraded };
}

test("a translated request takes its conversation's key to a provider that has a member for it", async () => {
  expect(await sent("anthropic", deployment("d"))).toMatchObject({ key: "00c0ffee" });
});

test("the caller's own key goes as it is, and is not called lost", async () => {
  const to = { ...deployment("d"), provider: "azure" };
  const more = { prompt_cache_key: "mine" };
  expect(await sent("openai-responses", to, more)).toEqual({ key: "mine", degraded: [] });
});

test.each([
  ["passes unchanged", "openai-chat", deployment("d")],
  ["goes where there is no such member", "anthropic", { ...deployment("d"), provider: "groq" }],
  [
    "goes to a model that refuses it",
    "anthropic",
    {
      ...deployment("d"),
      facts: { capabilities: {}, quirks: { refuses: ["prompt_cache_key"] } },
    },
  ],
] as const)("a request that %s gets no key", async (_, dialect, to) => {
  expect((await sent(dialect, to as Deployment)).key).toBeUndefined();
});
