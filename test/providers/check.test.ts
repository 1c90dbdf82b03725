import { expect, it } from "vitest";
import { checkDeployment } from "../../worker/providers/check.ts";
import type { SigningWorld } from "../../worker/providers/signing/index.ts";
import { endless } from "../support/endless.ts";
import { deployment } from "../stages/world.ts";

it("a check reads no more of a refusal than its beginning, and ends the call", async () => {
  const { body, seen } = endless();
  let signal: AbortSignal | undefined;
  const world = {
    upstream: {
      async send(request: { signal: AbortSignal }) {
        ({ signal } = request);
        return new Response(body, { status: 500 });
      },
    },
    now: Date.now,
  } as Partial<SigningWorld> as SigningWorld;
  const check = await checkDeployment(world, deployment("a"), "secret");
  expect(check).toMatchObject({ result: "unhealthy", fault: "transient" });
  expect(seen).toEqual({ bytes: 64 * 1024, cancelled: true });
  expect(signal?.aborted).toBe(true);
});
