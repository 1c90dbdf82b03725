import { describe, expect, it } from "vitest";
import type { Deployment } from "../../worker/core/model.ts";
import type { CredentialRecord, OrgShared } from "../../worker/core/records.ts";
import { allows, resolvableModels, resolve } from "../../worker/providers/resolve.ts";

const deployment = (group: string, id: string): Deployment => ({
  id,
  group,
  provider: "openai",
  model: "gpt-4o",
  protocol: "openai-chat",
  baseUrl: "https://api.openai.com/v1",
  weight: 1,
  order: 0,
  tags: [],
  facts: { capabilities: {} },
});

const credential = (provider: string, host: string): CredentialRecord => ({
  id: `cred-${provider}`,
  provider,
  host,
  version: 1,
  sealed: "",
  lastFour: "abcd",
});

const shared = (over: Partial<OrgShared> = {}): OrgShared => ({
  org: { id: "g000000000000", alias: "o", models: [], blocked: false, metadata: {} },
  deployments: [],
  credentials: [],
  blockedCustomers: [],
  ...over,
});

const context = (over: Partial<OrgShared> = {}, platform: string[] = []) => ({
  shared: shared(over),
  hasPlatformKey: (provider: string) => platform.includes(provider),
});

describe("what a model string stands for", () => {
  it("prefers a group of that exact name over a provider of the same prefix", () => {
    const own = [deployment("openai/gpt-4o", "a"), deployment("openai/gpt-4o", "b")];
    const found = resolve("openai/gpt-4o", context({ deployments: own }, ["openai"]));
    expect(found).toEqual({ found: true, candidates: own });
  });

  it("takes provider/model from the catalog with the org's credential, then the platform's", () => {
    const own = context({ credentials: [credential("openai", "api.openai.com")] }, ["openai"]);
    const mine = resolve("openai/gpt-4o-mini", own);
    expect(mine.found && mine.candidates[0]).toMatchObject({
      provider: "openai",
      model: "gpt-4o-mini",
      credentialId: "cred-openai",
      facts: { prices: { input: 150_000, output: 600_000 } },
    });
    const theirs = resolve("openai/gpt-4o-mini", context({}, ["openai"]));
    expect(theirs.found && theirs.candidates[0]?.credentialId).toBeUndefined();
  });

  it("never takes a credential that was saved for another host", () => {
    const elsewhere = context({ credentials: [credential("openai", "proxy.example.com")] });
    expect(resolve("openai/gpt-4o", elsewhere)).toMatchObject({ found: false });
  });

  it("infers the provider of a bare name, preferring one with a credential", () => {
    const found = resolve("claude-sonnet-4-5", context({}, ["anthropic"]));
    expect(found.found && found.candidates[0]).toMatchObject({
      provider: "anthropic",
      protocol: "anthropic",
    });
  });

  it.each([
    "nonsense",
    "nonsense/x",
    "openai/",
    "/x",
    "openai_compatible/x",
    "openai/gpt-4o",
    "__proto__",
    "constructor",
  ])("says what would be right for %s", (model) => {
    const found = resolve(model, context());
    expect(found.found).toBe(false);
    expect(!found.found && found.reason).toMatch(/POST \/model\/new|GET \/v1\/models/);
  });

  it("serves the simulated provider without any credential, and lists it", () => {
    expect(resolve("sim/echo", context()).found).toBe(true);
    expect(resolve("sim/ehco", context())).toEqual({
      found: false,
      reason: expect.stringContaining("there are sim/echo, sim/text"),
    });
    const ids = resolvableModels(context()).map((each) => each.id);
    expect(ids).toEqual(["sim/echo", "sim/text", "sim/tools", "sim/thinking"]);
  });
});

describe("allowlists", () => {
  it.each([
    [[], "anything", true],
    [["gpt"], "gpt", true],
    [["gpt"], "gpt-4o", false],
    [["*"], "x/y", true],
    [["openai/*"], "openai/gpt-4o", true],
    [["openai/*"], "openai", false],
    [["openai/*"], "anthropic/openai/x", false],
  ])("%j covers %s: %s", (list, model, expected) => {
    expect(allows(list, model)).toBe(expected);
  });
});
