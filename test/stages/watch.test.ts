import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GatewayError } from "../../worker/core/errors.ts";
import type { Deps } from "../../worker/core/ports.ts";
import { watchCaller } from "../../worker/stages/watch.ts";
import { chosen, deployment } from "./world.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const BODY = { model: "m", messages: [{ role: "user", content: "hello" }] };
const refusal = (kind: "invalid_api_key" | "expired_key" | "rate_limit_exceeded") =>
  new GatewayError(kind, "No.");

/** A running stream of a key, and the answers that its looks get. */
function running(keyId: string | undefined = "k1") {
  const call = chosen(BODY, [deployment("a")]);
  const { identity } = call;
  if (keyId !== "") identity.principal.keyId = keyId;
  const rows = { ...identity, revision: 1 };
  const open = vi.fn<Deps["directory"]["open"]>(async () => rows);
  const prove = vi.fn<Deps["prove"]>(async () => identity);
  const authorizer = { check: () => ({ allowed: true, reason: "" }) };
  const deps = { directory: { open }, prove, authorizer } as unknown as Deps;
  const changed = { ...rows, shared: { ...identity.shared } };
  return { watch: watchCaller(deps, call), open, prove, changed, identity };
}

const endless = () => new Promise<never>(() => undefined);
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (cause: unknown) => (cause as GatewayError).kind,
  );

test("rows that stayed the same are not proved again", async () => {
  const { watch, open, prove } = running();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(open.mock.calls.length).toBeGreaterThanOrEqual(10);
  expect(prove).not.toHaveBeenCalled();
  expect(await watch.orEnded(Promise.resolve("piece"))).toBe("piece");
  watch.stop();
  const looks = open.mock.calls.length;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(open).toHaveBeenCalledTimes(looks);
});

test("a right that ends breaks the wait of the moment and every later one", async () => {
  const { watch, open, prove, changed } = running();
  const waiting = outcome(watch.orEnded(endless()));
  await vi.advanceTimersByTimeAsync(3_000);
  open.mockResolvedValue(changed);
  await vi.advanceTimersByTimeAsync(1_500);
  expect(watch.ended).toBe(false);
  prove.mockRejectedValue(refusal("invalid_api_key"));
  await vi.advanceTimersByTimeAsync(1_500);
  expect(await waiting).toBe("invalid_api_key");
  expect(await outcome(watch.orEnded(Promise.resolve()))).toBe("invalid_api_key");
});

test("a key that runs out in time, or that others guess at, does not break what was admitted", async () => {
  for (const kind of ["expired_key", "rate_limit_exceeded"] as const) {
    const { watch, open, prove, changed } = running();
    open.mockResolvedValue(changed);
    prove.mockRejectedValue(refusal(kind));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(watch.ended).toBe(false);
    watch.stop();
  }
});

test("an allowlist that no longer has the model ends the right, one that still has it does not", async () => {
  const { watch, open, prove, changed, identity } = running();
  const under = (models: string[]) => ({
    ...identity,
    shared: { ...identity.shared, org: { ...identity.shared.org, models } },
  });
  open.mockResolvedValue(changed);
  prove.mockResolvedValue(under(["m", "other"]));
  await vi.advanceTimersByTimeAsync(3_000);
  expect(watch.ended).toBe(false);
  prove.mockResolvedValue(under(["other"]));
  const waiting = outcome(watch.orEnded(endless()));
  await vi.advanceTimersByTimeAsync(1_500);
  expect(await waiting).toBe("org_model_not_allowed");
});

test("what can't be known fresh any more ends too, whatever the failure is", async () => {
  const { watch, open } = running();
  open.mockRejectedValue(new TypeError("gone"));
  const waiting = outcome(watch.orEnded(endless()));
  await vi.advanceTimersByTimeAsync(1_500);
  expect(await waiting).toBe("control_plane_unavailable");
});

test("the master key is not looked at", async () => {
  const { watch, open } = running("");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(open).not.toHaveBeenCalled();
  watch.stop();
});
