import { afterAll, beforeAll, expect, test } from "vitest";
import { startGround, type Ground } from "./support/ground.ts";

/* What a dialect has elsewhere and the gateway has not is refused in the dialect's own form, and says what to do. */

let ground: Ground;
beforeAll(async () => {
  ground = await startGround();
});
afterAll(() => ground.stop());

test("stored responses, assistants and threads, as OpenAI's client sees it", async () => {
  const openai = ground.openai();
  const refused = { status: 400, code: "unsupported_endpoint", type: "invalid_request_error" };
  const { responses } = openai;
  for (const ask of [
    () => responses.retrieve("resp_1"),
    () => responses.delete("resp_1"),
    () => responses.cancel("resp_1"),
    () => responses.inputItems.list("resp_1"),
  ]) {
    await expect(ask()).rejects.toMatchObject(refused);
    await expect(ask()).rejects.toThrow("POST /v1/responses");
  }
  for (const path of ["/assistants", "/threads/thread_1/runs"] as const) {
    await expect(openai.get(path)).rejects.toMatchObject(refused);
    await expect(openai.get(path)).rejects.toThrow("Azure OpenAI serve");
  }
});

test("batches, as Anthropic's client sees it", async () => {
  const error = { type: "error", error: { type: "invalid_request_error" } };
  const asked = ground.anthropic().messages.batches.list();
  await expect(asked).rejects.toMatchObject({ status: 400, error });
});
