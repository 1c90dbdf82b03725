import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Refused, Unreachable } from "../../cli/gateway.ts";
import { policyCommand } from "../../cli/policy.ts";
import { UsageError } from "../../cli/usage.ts";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";

const folder = mkdtempSync(join(tmpdir(), "routero-policy-"));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

async function run(...words: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await policyCommand(words, {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  return { code, out: out.join("\n"), err: err.join("\n") };
}

const GOOD =
  "rules:\n  - { id: eu, when: { identity.region: eu }, block: true }\n  - { id: rest, residency: us-only }\n";

describe("offline", () => {
  it("check shows each fault at its place, and fails", async () => {
    const bad = file("bad.yaml", "rules:\n  - when: { identity.regoin: eu }\n    block: true\n");
    const checked = await run("check", bad);
    expect(checked.code).toBe(1);
    expect(checked.err).toContain(
      "bad.yaml:2:13: there is no signal 'identity.regoin'; did you mean 'identity.region'?",
    );
    expect((await run("check", file("good.yaml", GOOD))).code).toBe(0);
  });

  it("test runs the cases beside a document and holds it to a coverage", async () => {
    const tested = file("tested.yaml", GOOD);
    file(
      "tested.test.yaml",
      "cases:\n  - { name: a, given: { identity.region: eu }, expect: { rule: eu, blocked: true } }\n",
    );
    const first = await run("test", tested);
    expect([first.code, first.out]).toEqual([
      0,
      `${tested}: 1 of 1 cases pass, 50 % of rules; no case comes to rest`,
    ]);
    expect((await run("test", tested, "--min-coverage", "80")).code).toBe(1);
    file(
      "tested.test.yaml",
      "cases:\n  - { name: a, given: { identity.region: eu }, expect: { rule: rest } }\n",
    );
    const failing = await run("test", tested);
    expect(failing.code).toBe(1);
    expect(failing.err).toContain("case 'a' fails: expected rule rest, got eu");
  });

  it("a mistake on the command line is told apart from a refusal", async () => {
    await expect(run("aply")).rejects.toThrow(UsageError);
    await expect(run("check")).rejects.toThrow(UsageError);
    await expect(run("check", join(folder, "none.yaml"))).rejects.toThrow(UsageError);
    await expect(run("check", folder)).rejects.toThrow(`${folder} is a directory`);
    const lost = ["--url", "http://127.0.0.1:9", "--key", "k", "--workspace", "w"];
    await expect(run("apply", file("good.yaml", GOOD), ...lost)).rejects.toThrow(Unreachable);
    const [none, yaml] = [join(folder, "none.json"), file("request.yaml", "model: m")];
    await expect(run("explain", "--request", none, ...lost)).rejects.toThrow(UsageError);
    await expect(run("explain", "--request", yaml, ...lost)).rejects.toThrow(/is not JSON/);
    // A name without an ending has its tests beside it as well, and is not its own test.
    expect((await run("test", file("bare", GOOD))).out).toBe(`${join(folder, "bare")}: no tests`);
  });
});

describe("at a gateway", () => {
  let gw: TestGateway;
  beforeAll(async () => {
    gw = await startGateway({ vars: { PROFILE: "self-hosted" }, tenant: false });
    await gw.admin("POST", "/organization/new", { organization_alias: "acme" });
  });
  afterAll(() => gw.stop());

  it("apply publishes once, dry runs do not, rollback brings back, explain and simulate answer", async () => {
    const at = ["--url", gw.url, "--key", gw.masterKey, "--workspace", "acme"];
    const path = file("acme.yaml", GOOD);
    expect((await run("apply", path, ...at, "--dry-run")).out).toContain(
      "would be published as version 1 sha256:",
    );
    expect((await run("apply", path, ...at)).out).toContain("published as version 1");
    expect((await run("apply", path, ...at)).out).toContain("unchanged, version 1");
    const next = file("next.yaml", "rules: [{ id: none, residency: eu-only }]");
    await expect(run("apply", next, ...at, "--if-match", "7")).rejects.toThrow(Refused);
    expect((await run("apply", next, ...at, "--if-match", "1")).out).toContain("version 2");
    const back = async (...more: string[]) =>
      (await run("rollback", "--version", "1", ...at, ...more)).out;
    expect(await back("--dry-run")).toBe("version 3 would bring back 1");
    expect(await back()).toBe("version 3 brings back 1");
    expect(await back()).toBe("unchanged: version 3 is what version 1 was");
    const bad = file("bad.yaml", "rules:\n  - { rout: a }\n  - { block: yes }\n");
    for (const command of ["apply", "simulate"]) {
      const refused = await run(command, bad, ...at).catch((cause: unknown) => String(cause));
      expect(refused).toContain("bad.yaml:2:7: a rule has no 'rout'; did you mean 'route'?");
      expect(refused).toContain("bad.yaml:3:14: block is `true` or a map");
    }
    const asked = file(
      "request.json",
      JSON.stringify({ model: "m", headers: { "x-routero-region": "eu" } }),
    );
    const explained = JSON.parse(
      (await run("explain", "--request", asked, ...at.slice(0, 4))).out,
    ) as {
      decision: { rule: string };
    };
    expect(explained.decision.rule).toBe("eu");
    expect((await run("simulate", next, ...at, "--window", "2d")).out).toBe(
      "0 decisions, 0 would change, 0 can't be told\nblocked 0 → 0; 0 → 0 USD for 0 requests",
    );
    const missing = file("missing.yaml", "rules: [{ route: no-such-group }]");
    const checked = await run("check", missing, ...at.slice(0, 4));
    expect([checked.code, checked.err]).toEqual([
      1,
      expect.stringContaining("no model group 'no-such-group'"),
    ]);
  });
});
