import { GatewayError } from "../../worker/core/errors.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Deployment } from "../../worker/core/model.ts";
import type { RoutingLayer } from "../../worker/core/routing.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { streamAnswer } from "../../worker/stages/stream.ts";
import type { Behaviour } from "../support/upstream/index.ts";
import { answerOf, sizeOf, type Cut } from "./provider.ts";
import { chosen, deployment, world } from "./world.ts";

export type Wire = "openai-chat" | "anthropic" | "gemini" | "openai-responses";
export const WIRES: readonly Wire[] = ["openai-chat", "anthropic", "gemini", "openai-responses"];
/** What only providers speak. */
export const OTHERS = ["cohere", "ollama", "bedrock-converse"] as const;
type Speech = Wire | (typeof OTHERS)[number];
export const ROUTES = WIRES.flatMap((client) =>
  WIRES.flatMap((first) => WIRES.map((second) => ({ client, first, second }))),
);

export const SAID =
  "Once, “twice”  and\n\nthrice: 大きな🙂 houses stood by the river, as they had for ages and ages.";
export const ASK: Record<Wire, JsonObject> = {
  "openai-chat": {
    model: "group",
    stream: true,
    stream_options: { include_usage: true },
    messages: [{ role: "user", content: "tell" }],
  },
  anthropic: {
    model: "group",
    stream: true,
    max_tokens: 900,
    messages: [{ role: "user", content: "tell" }],
  },
  "openai-responses": { model: "group", stream: true, input: "tell" },
  gemini: { contents: [{ role: "user", parts: [{ text: "tell" }] }] },
};
/** What Google's URL says. */
const FROM_URL = { model: "group", stream: true };

/** A deployment that speaks this and nothing else: some vendors answer a caller's own dialect where they can. */
const speaking = (id: string, wire: Speech): Deployment => ({
  ...deployment(id, wire),
  provider: PROVIDER[wire] ?? deployment(id, wire).provider,
});
const PROVIDER: Partial<Record<Speech, string>> = {
  "openai-chat": "openai_compatible",
  gemini: "openai_compatible",
  cohere: "cohere",
  ollama: "ollama",
  "bedrock-converse": "bedrock",
};

export interface Story {
  client: Wire;
  first: Speech;
  second: Speech;
  behaviour: Behaviour;
  cut: Cut;
  after?: "end" | "break";
  /** How the second goes on; by default exactly. */
  goesOn?: Behaviour;
  ask?: JsonObject;
  settings?: RoutingLayer;
  /** Google's client takes the stream as one array. */
  array?: boolean;
  plan?: (a: Deployment, b: Deployment) => Deployment[];
}

/** One stream whose first provider breaks, and whatever the others do. */
export async function tell(story: Story) {
  const { client, first, second, behaviour, cut, goesOn } = story;
  const a = speaking("a", first);
  const b = speaking("b", second);
  const { deps, sent } = world((request, n) =>
    n === 0
      ? answerOf(first, request, behaviour, cut, story.after)
      : answerOf(second, request, goesOn ?? { ...behaviour, continuation: "exact" }),
  );
  const progress = noProgress();
  const body = { ...ASK[client], ...story.ask };
  const call = chosen(body, story.plan?.(a, b) ?? [a, b], {
    dialect: client,
    fromUrl: client === "gemini" ? { ...FROM_URL, array: story.array ?? false } : {},
    settings: story.settings ?? {},
  });
  const decoder = new TextDecoder();
  let stream = "";
  let error: GatewayError | null = null;
  try {
    for await (const bytes of streamAnswer(deps, call, progress).steps) {
      stream += decoder.decode(bytes, { stream: true });
    }
  } catch (cause) {
    if (!(cause instanceof GatewayError)) throw cause;
    error = cause;
  }
  return { stream, error, progress, sent };
}

/** The same body, which never ends. */
export function hanging(response: Response, signal: AbortSignal): Response {
  const reader = response.body!.getReader();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      signal.addEventListener("abort", () => controller.error(new DOMException("", "AbortError")));
    },
    async pull(controller) {
      const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
      if (!done && value) controller.enqueue(value);
      else await new Promise<void>(() => undefined);
    },
  });
  return new Response(body, { headers: response.headers });
}

/** Where the answer of a story's first provider can break. */
export async function sizes(story: Omit<Story, "cut">) {
  let found = { events: 0, bytes: 0 };
  const { deps } = world(async (request) => {
    const whole = answerOf(story.first, request, story.behaviour);
    found = await sizeOf(whole.clone());
    return whole;
  });
  const call = chosen({ ...ASK[story.client], ...story.ask }, [speaking("a", story.first)], {
    dialect: story.client,
    fromUrl: story.client === "gemini" ? { ...FROM_URL, array: story.array ?? false } : {},
  });
  for await (const _ of streamAnswer(deps, call, noProgress()).steps);
  return found;
}
