import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startGround, type Ground } from "../gateway/support/ground.ts";
import { describeWithData } from "../support/data.ts";
import { recorded } from "../support/upstream/index.ts";
import type { Loose } from "../support/loose.ts";
import { toldByChunks } from "./told.ts";

/* Recordings of Google's and OpenAI's newer protocol: unchanged for their own clients, readable for others. */

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
  const { gw, up } = ground;
  for (const [name, params, info] of [
    ["google", { model: "gemini/google", api_base: up.url }, {}],
    ["responses", { model: "openai/responses", api_base: `${up.url}/v1` }, { mode: "responses" }],
  ] as const) {
    await gw.admin("POST", "/model/new", {
      model_name: name,
      organization_id: gw.tenant.organizationId,
      litellm_params: { ...params, api_key: "k" },
      model_info: info,
    });
  }
});
beforeEach(() => ground.up.reset());
afterAll(() => ground.stop());

const post = (path: string, body: object) =>
  fetch(ground.gw.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${ground.key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** How the protocol's own client asks for this model. */
const OWN = {
  google: (stream: boolean) =>
    post(`/v1beta/models/google:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`, {
      contents: [{ role: "user", parts: [{ text: "hi" }] }],
    }),
  responses: (stream: boolean) =>
    post("/v1/responses", { model: "responses", input: "hi", ...(stream && { stream }) }),
};

/** The text of a recorded answer, by the plainest means. */
const TEXT = {
  google: (chunks: readonly Loose[]) =>
    chunks
      .flatMap((chunk) => (chunk["candidates"]?.[0]?.["content"]?.["parts"] ?? []) as Loose[])
      .map((part) => (part["thought"] ? "" : (part["text"] ?? "")) as string)
      .join(""),
  responses: (events: readonly Loose[]) => {
    const output = (event: Loose) =>
      event["type"] === "response.output_item.done" ? [event["item"] as Loose] : [];
    const items = events[0]?.["output"]
      ? (events[0]["output"] as Loose[])
      : events.flatMap((event) => output(event));
    return items
      .flatMap((item) => (item["type"] === "message" ? (item["content"] as Loose[]) : []))
      .map((part) => (part["text"] ?? "") as string)
      .join("");
  },
};

const FOLDERS = [
  ["google", "google", /^(interactions|google-429)/],
  ["openai/responses", "responses", /error|parallel-tool-call-wrapper/],
  ["azure", "responses", /deepseek/],
  ["xai/responses", "responses", /^$/],
] as const;

for (const [folder, model, left] of FOLDERS) {
  describeWithData(`recordings of ${folder}`, `recordings/${folder}`, (data) => {
    const files = data.files.filter((file) => !left.test(file));
    test.each(files)(
      "%s passes through unchanged, and is read by a client of chat completions",
      async (file) => {
        const stream = file.endsWith(".chunks.txt");
        const name = `${folder}/${file.replace(/(\.chunks\.txt|\.json)$/, "")}`;
        ground.up.model(model, recorded(name));
        const answer = await OWN[model](stream);
        const received = await answer.text();
        const call = ground.up.calls.of(model).at(-1)!;
        await call.ended;
        expect(answer.status).toBe(200);
        expect(received).toBe(call.sent.toString());

        const other = await post("/v1/chat/completions", {
          model,
          messages: [{ role: "user", content: "hi" }],
          ...(stream && { stream, stream_options: { include_usage: true } }),
        });
        const text = await other.text();
        expect(other.status, text).toBe(200);
        const chunks = stream
          ? text
              .split("\n")
              .filter((line) => line.startsWith("data: {"))
              .map((line) => JSON.parse(line.slice(6)) as Loose)
          : [JSON.parse(text) as Loose];
        if (stream) expect(text).toMatch(/data: \[DONE\]\n\n$/);
        const told = toldByChunks(chunks);
        const recordedText = TEXT[model](
          (stream ? data.text(file).split("\n").filter(Boolean) : [data.text(file)]).map(
            (line) => JSON.parse(line) as Loose,
          ),
        );
        // A recorder may have shortened what the deltas say in full.
        if (!file.includes("shell-container.1.chunks")) expect(told.text).toBe(recordedText);
        expect(told.usage?.prompt).toBeTypeOf("number");
        expect(told.finish).toMatch(/stop|tool_calls/);
      },
    );
  });
}
