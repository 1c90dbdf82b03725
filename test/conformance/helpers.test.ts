import { GoogleGenAI } from "@google/genai";
import { betaZodTool } from "@anthropic-ai/sdk/helpers/beta/zod";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import type OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { ONCE, startGround, type Ground } from "../gateway/support/ground.ts";
import { text, tool, type Part } from "../support/upstream/index.ts";
import { modelFor, PROVIDERS } from "./matrix/providers.ts";

/*
 * What the official clients offer beyond single calls (they put streams together, run tools until the model has done, parse
 * answers, keep a history) works at providers of every protocol, with all that these want back.
 */

const NAMES = ["openai-chat", "openai-responses", "anthropic", "gemini", "bedrock"];
const TESTED = PROVIDERS.filter(({ name }) => NAMES.includes(name));
const CITY = z.object({ city: z.string() });
const QUESTION = "How is it in Oslo and in Bergen?";
const CITIES = ["Oslo", "Bergen"];

let ground: Ground;
let google: GoogleGenAI;
beforeAll(async () => {
  ground = await startGround();
  const { gw, up, key } = ground;
  for (const provider of TESTED) {
    await gw.admin("POST", "/model/new", {
      model_name: provider.name,
      organization_id: gw.tenant.organizationId,
      litellm_params: provider.params(up, modelFor(provider, "helper")),
      ...(provider.info && { model_info: provider.info }),
    });
  }
  google = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: gw.url, headers: ONCE } });
});
afterAll(() => ground?.stop());

describe.each(TESTED.map((provider) => [provider.name, provider] as const))(
  "%s",
  (model, provider) => {
    const name = modelFor(provider, "helper");

    /** A turn that thinks and asks for both cities at once, and one that has done. */
    const script = () => {
      const thought: Part = { kind: "thinking", text: "I look.", signature: "c2lnbmF0dXJl" };
      ground.up.reset(name);
      ground.up.script(name, [
        { parts: [thought, ...CITIES.map((city) => tool("weather", { city }))] },
        text("Dry and wet."),
      ]);
    };
    /** Both results reached the provider, with the proofs that it gave for its thinking unless the client drops them. */
    const expectResults = (proven = true) => {
      const [first, second, ...more] = ground.up.calls.of(name);
      expect(more).toEqual([]);
      const sent = second!.raw.toString();
      for (const city of CITIES) expect(sent).toContain(`weather of ${city}`);
      const proofs = first!.sent
        .toString()
        .matchAll(/"(?:signature|thoughtSignature|encrypted_content)": ?"([^"]{4,})"/g);
      for (const [, proof] of proven ? proofs : []) expect(sent).toContain(proof);
    };
    const weather = ({ city }: { city: string }) => `weather of ${city}`;

    test.each([false, true])("OpenAI's runner of tools, streamed: %s", async (stream) => {
      script();
      const runner = ground.openai().chat.completions.runTools({
        model,
        messages: [{ role: "user", content: QUESTION }],
        tools: [
          {
            type: "function",
            function: {
              name: "weather",
              description: "weather of a city",
              parameters: z.toJSONSchema(CITY) as Record<string, unknown>,
              parse: (args: string) => CITY.parse(JSON.parse(args)),
              function: weather,
            },
          },
        ],
        stream: stream as false,
      });
      expect(await runner.finalContent()).toBe("Dry and wet.");
      // It sends back what OpenAI's own models say and nothing else.
      expectResults(false);
    });

    test("OpenAI's parsers", async () => {
      ground.up.reset(name);
      ground.up.model(name, text('{"city":"Oslo"}'));
      const client = ground.openai();
      const messages = [{ role: "user" as const, content: "Where?" }];
      const asked = { model, messages, response_format: zodResponseFormat(CITY, "place") };
      const parsed = await client.chat.completions.parse(asked);
      expect(parsed.choices[0]?.message.parsed).toEqual({ city: "Oslo" });
      const streamed = client.chat.completions.stream(asked);
      const final = await streamed.finalChatCompletion();
      expect(final.choices[0]?.message.parsed).toEqual({ city: "Oslo" });
      const format = { format: zodTextFormat(CITY, "place") };
      const response = await client.responses.parse({ model, input: "Where?", text: format });
      expect(response.output_parsed).toEqual({ city: "Oslo" });
      const stream = client.responses.stream({ model, input: "Where?", text: format });
      expect((await stream.finalResponse()).output_parsed).toEqual({ city: "Oslo" });
    });

    // Its own protocol passes through, and the provider server has no such tools.
    test.skipIf(model === "openai-responses")("OpenAI's tools that take text", async () => {
      const patch = '-"old"\n+new';
      ground.up.reset(name);
      ground.up.script(name, [{ parts: [tool("patch", { input: patch })] }, text("Done.")]);
      const asked = {
        model,
        tools: [{ type: "custom" as const, name: "patch" }],
        input: [{ role: "user" as const, content: "Patch it." }],
      };
      const { output } = await ground.openai().responses.stream(asked).finalResponse();
      const call = output.find((item) => item.type === "custom_tool_call");
      expect(call?.input).toBe(patch);
      const result = { type: "custom_tool_call_output" as const, output: "patched" };
      const done = await ground.openai().responses.create({
        ...asked,
        input: [
          ...asked.input,
          ...(output as OpenAI.Responses.ResponseInputItem[]),
          { ...result, call_id: call!.call_id },
        ],
      });
      expect(done.output_text).toBe("Done.");
      expect(ground.up.calls.of(name)[1]?.raw.toString()).toContain("patched");
    });

    test.each([false, true])("Anthropic's runner of tools, streamed: %s", async (stream) => {
      script();
      const run = betaZodTool({
        name: "weather",
        description: "weather of a city",
        inputSchema: CITY,
        run: weather,
      });
      const runner = ground.anthropic().beta.messages.toolRunner({
        model,
        max_tokens: 4000,
        messages: [{ role: "user", content: QUESTION }],
        tools: [run],
        stream,
      });
      const { content } = await runner.runUntilDone();
      expect(content).toMatchObject([{ type: "text", text: "Dry and wet." }]);
      expectResults();
    });

    test("Anthropic's parser", async () => {
      ground.up.reset(name);
      ground.up.model(name, text('{"city":"Oslo"}'));
      const { parsed_output } = await ground.anthropic().messages.parse({
        model,
        max_tokens: 99,
        messages: [{ role: "user", content: "Where?" }],
        output_config: { format: zodOutputFormat(CITY) },
      });
      expect(parsed_output).toEqual({ city: "Oslo" });
    });

    test.each([false, true])("Google's chat with tools, streamed: %s", async (stream) => {
      script();
      const chat = google.chats.create({
        model,
        config: {
          tools: [
            {
              functionDeclarations: [
                { name: "weather", parametersJsonSchema: z.toJSONSchema(CITY) },
              ],
            },
          ],
        },
      });
      const say = async (message: Parameters<typeof chat.sendMessage>[0]["message"]) => {
        if (!stream) return [await chat.sendMessage({ message })];
        return Array.fromAsync(await chat.sendMessageStream({ message }));
      };
      const calls = (await say(QUESTION)).flatMap((chunk) => chunk.functionCalls ?? []);
      expect(calls.map(({ args }) => args)).toEqual(CITIES.map((city) => ({ city })));
      const done = await say(
        calls.map(({ id, name: called = "", args }) => ({
          functionResponse: {
            ...(id !== undefined && { id }),
            name: called,
            response: { output: weather(args as { city: string }) },
          },
        })),
      );
      expect(done.map((chunk) => chunk.text ?? "").join("")).toBe("Dry and wet.");
      expectResults();
    });
  },
);
