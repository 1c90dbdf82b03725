import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { classifyLines } from "../../cli/classify.ts";
import { RouteError, routePrompt, routeText } from "../../cli/route.ts";

describe("routero classify --jsonl", () => {
  it("answers each line in order, and names the line that it could not read", async () => {
    const lines = [
      { id: "a", prompt: "Translate to German: tea" },
      {
        id: 2,
        messages: [
          { role: "system", content: "x" },
          { role: "user", content: [{ type: "text", text: "hello" }] },
        ],
      },
      { id: "c" },
    ];
    const input = Readable.from([
      `\uFEFF${lines.map((each) => JSON.stringify(each)).join("\n")}\nnope\n`,
    ]);
    const said: Record<string, unknown>[] = [];
    const failed = await classifyLines(input, (line) => said.push(JSON.parse(line)));
    expect(failed).toBe(2);
    expect(said.map((each) => [each["id"], each["category"] ?? each["line"]])).toEqual([
      ["a", "translate"],
      [2, "chat"],
      ["c", 3],
      [null, 4],
    ]);
    expect(Object.keys(said[0] ?? {})).toEqual(["id", "score", "category", "difficulty", "ms"]);
  });

  it("ends quietly when nobody reads on", async () => {
    const command = join(import.meta.dirname, "../../cli/routero.ts");
    const child = spawn(process.execPath, [command, "classify", "--jsonl"]);
    child.stdin.on("error", () => undefined);
    child.stdin.end(`{"id":1,"prompt":"hi"}\n`.repeat(50_000));
    child.stdout.once("data", () => child.stdout.destroy());
    let told = "";
    child.stderr.on("data", (text: Buffer) => (told += text.toString()));
    const [code] = (await once(child, "close")) as [number | null];
    expect([code, told]).toEqual([0, ""]);
  });
});

describe("routero route", () => {
  it("shows order, figures and reason, and sends hard work to a stronger model than small talk", () => {
    const models = ["openai/gpt-4o-mini", "anthropic/claude-opus-5"];
    const hard = routePrompt({
      prompt: "Implement a lock-free queue in C++ and prove that it is linearizable.",
      dial: "balanced",
      models,
    });
    const easy = routePrompt({ prompt: "hi", dial: "balanced", models });
    expect([hard.order[0], easy.order[0]]).toEqual([models[1], models[0]]);
    expect(routeText(hard)).toMatch(
      /task code.*\n[^]*claude-opus-5 +REASONING[^]*need for strength/,
    );
  });

  it("says which dials there are, and what a model looks like", () => {
    const route = (dial: string, models: string[]) => routePrompt({ prompt: "x", dial, models });
    expect(() => route("best", [])).toThrow(RouteError);
    expect(() => route("cheap", ["gpt"])).toThrow("provider/model");
  });
});
