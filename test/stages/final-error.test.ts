import { describe, expect, it } from "vitest";
import { GatewayError } from "../../worker/core/errors.ts";
import type { DroppedBy } from "../../worker/core/routing.ts";
import { retryHeaders } from "../../worker/core/errors.ts";
import { dispatch } from "../../worker/stages/dispatch.ts";
import { noProgress } from "../../worker/stages/progress.ts";
import { chosen, deployment, world } from "./world.ts";

const ASK = { model: "group", messages: [{ role: "user", content: "tell" }] };

const ANSWERS: Record<string, () => Response> = {
  broken: () => Response.json({ error: { message: "Down." } }, { status: 500 }),
  refused: () => Response.json({ error: { code: "invalid_api_key" } }, { status: 401 }),
  long: () => Response.json({ error: { code: "context_length_exceeded" } }, { status: 400 }),
  filtered: () => Response.json({ error: { code: "content_filter" } }, { status: 400 }),
  "soon free": () => new Response("{}", { status: 429, headers: { "retry-after": "11" } }),
  "long limited": () => new Response("{}", { status: 429, headers: { "retry-after": "90" } }),
  gone: () => Response.json({ error: { message: "No such file." } }, { status: 404 }),
  wrong: () => Response.json({ error: { param: "top_p", message: "No." } }, { status: 400 }),
};

/** What is told of a request whose deployments answer so, one each; `rests` = another one that was not in the plan. */
async function told(names: readonly string[], rests?: DroppedBy): Promise<GatewayError> {
  const { deps } = world((_, n) => ANSWERS[names[n] ?? ""]?.() ?? Response.error());
  const plan = names.map((name, n) => ({
    ...deployment(`d${n}`),
    model: `m${n}`,
    provider: name === "broken" ? "openai" : "groq",
  }));
  const call = chosen(ASK, plan, { settings: { numRetries: names.length - 1 } });
  if (rests !== undefined) {
    call.explanation.candidates.push({ by: rests, state: { when: "any" } } as never);
  }
  const failed = await dispatch(deps, call, noProgress()).catch((cause: unknown) => cause);
  if (!(failed instanceof GatewayError)) throw failed;
  return failed;
}

describe("the refusal of a request that nobody could answer", () => {
  it("is final only where every deployment refused", async () => {
    for (const [name, kind] of [
      ["refused", "upstream_auth"],
      ["long", "context_length_exceeded"],
      ["filtered", "content_policy_violation"],
      ["gone", "upstream_rejected"],
    ] as const) {
      expect((await told([name])).kind).toBe(kind);
      for (const names of [
        ["broken", name],
        [name, "broken"],
      ]) {
        const error = await told(names);
        expect(error.kind).toBe("no_healthy_deployment");
        expect(error.message).toBe("No deployment could answer (2 attempts); 'openai' said: Down.");
        expect(retryHeaders(error)).not.toHaveProperty("x-should-retry");
      }
      expect((await told([name], "health")).kind).toBe("no_healthy_deployment");
      expect((await told([name], "residency")).kind).toBe(kind);
    }
  });

  it("tells the first time at which a limited deployment is free", async () => {
    for (const names of [
      ["soon free", "long limited"],
      ["long limited", "soon free"],
    ]) {
      expect((await told(names)).detail.retryAfter).toBe(11);
    }
    expect((await told(["long limited"])).detail.retryAfter).toBe(90);
  });

  it("is what the caller did wrong, whoever said so", async () => {
    expect((await told(["broken", "wrong"])).kind).toBe("upstream_rejected");
    expect((await told(["gone", "gone"])).status).toBe(404);
  });
});
