import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../../scripts/bundle.ts";
import { bareOrgId } from "../../worker/core/ids.ts";
import { replaceSealed } from "../../worker/store/rotation.ts";
import { makeVault } from "../../worker/store/vault.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";
import { startCluster, startGateway, type TestGateway } from "../support/cluster/index.ts";
import { startUpstream, type Upstream } from "../support/upstream/index.ts";
import { wrapBundle } from "../support/wrapped/bundle.ts";

let up: Upstream;
beforeAll(async () => {
  up = await startUpstream();
});
afterAll(() => up.stop());

const secret = () => randomBytes(32).toString("base64");
const run = promisify(execFile);

async function chat(url: string, key: string, model: string) {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hello" }] }),
  });
  await answer.text();
  return answer.status;
}

/** The public handle of a key. */
async function keyInfo(url: string, master: string, key: string): Promise<string> {
  const answer = await fetch(`${url}/key/info?key=${key}`, {
    headers: { authorization: `Bearer ${master}` },
  });
  return ((await answer.json()) as { key: string }).key;
}

test("every secret is replaced while the gateway serves, by one command", async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "routero-rotation-"));
  const [kek1, kek2, pepper1, pepper2] = [secret(), secret(), secret(), secret()];
  const [master1, master2] = ["sk-first-master-0123456789", "sk-second-master-0123456789"];
  const start = (vars: Record<string, string>, tenant = false) =>
    startGateway({ stateDir, tenant, vars: { PROFILE: "self-hosted", ...vars } });
  let gw: TestGateway | undefined;
  try {
    const old = { MASTER_KEY: master1, KEK: `1:${kek1}`, KEY_PEPPER: `1:${pepper1}` };
    gw = await start(old, true);
    const key = gw.firstKey;
    const { organizationId } = gw.tenant;
    for (const name of ["m1", "m2", "m3"]) {
      await gw.newModel(
        name,
        { upstream: up, organizationId },
        { api_key: `sk-provider-of-${name}` },
      );
    }
    expect(await chat(gw.url, key, "m1")).toBe(200);
    await gw.stop();

    gw = await start({
      MASTER_KEY: master2,
      MASTER_KEY_PREVIOUS: master1,
      KEK: `1:${kek1},2:${kek2}`,
      KEY_PEPPER: `1:${pepper1},2:${pepper2}`,
    });
    const { url, sql } = gw;
    const rowOfKey = async () =>
      (await sql("SELECT revision, pepper_version FROM keys WHERE id = ?", key.split("-")[3]))[0];
    expect(await rowOfKey()).toEqual({ revision: 1, pepper_version: 1 });
    const rotation = run(
      process.execPath,
      ["--no-warnings", "cli/routero.ts", "keys", "rotate", "--url", url, "--master-key", master1],
      { cwd: root },
    );
    // What was sealed and hashed before is good while it is replaced.
    for (const name of ["m1", "m2", "m3"]) expect(await chat(url, key, name)).toBe(200);
    expect((await rotation).stdout).toMatch(/rewrapped 3, left 0/);
    const sealed = await sql("SELECT sealed FROM credentials");
    expect(sealed.map((row) => String(row.sealed).split(".")[0])).toEqual(["2", "2", "2"]);
    await expect.poll(rowOfKey).toEqual({ revision: 1, pepper_version: 2 });
    const status = await fetch(`${url}/key-encryption/status`, {
      headers: { authorization: `Bearer ${master2}` },
    });
    // The user's own key, which nobody has used, is what remains; ours moved by being used.
    const { handle } = (await sql("SELECT handle FROM keys WHERE pepper_version = 1"))[0] ?? {};
    expect(await status.json()).toMatchObject({
      left: 0,
      keys_left: 1,
      keys: [handle],
      // The check inside a key's text stays under the first pepper, however much the key is used.
      tokens_left: 2,
    });
    const events = await sql("SELECT data FROM audit_events WHERE type = 'credential.rewrapped'");
    const moved = events.flatMap(
      (row) => (JSON.parse(String(row.data)) as { credential_ids: string[] }).credential_ids,
    );
    expect(moved).toHaveLength(3);
    await gw.stop();

    gw = await start({
      MASTER_KEY: master2,
      KEK: `2:${kek2}`,
      KEY_PEPPER: `1:${pepper1},2:${pepper2}`,
    });
    for (const name of ["m1", "m2", "m3"]) {
      up.calls.clear();
      expect(await chat(gw.url, key, name)).toBe(200);
      expect(up.calls.all[0]?.headers.authorization).toBe(`Bearer sk-provider-of-${name}`);
    }
    const dead = await fetch(`${gw.url}/organization/list`, {
      headers: { authorization: `Bearer ${master1}` },
    });
    expect(dead.status).toBe(401);

    // Keys that are made anew need the old pepper no more, and when none does it goes.
    const { url: at, admin } = gw;
    const stand = () =>
      admin<{ tokens_left: number; tokens: string[] }>("GET", "/key-encryption/status");
    let fresh = "";
    for (const token of (await stand()).tokens) {
      const made = await admin<Record<string, string>>("POST", "/key/regenerate", { key: token });
      if (made["token"] === (await keyInfo(at, master2, key))) fresh = made["key"] ?? "";
    }
    expect(await stand()).toMatchObject({ tokens_left: 0, tokens: [] });
    await gw.stop();

    gw = await start({ MASTER_KEY: master2, KEK: `2:${kek2}`, KEY_PEPPER: `2:${pepper2}` });
    expect(await chat(gw.url, fresh, "m1")).toBe(200);
    expect(await chat(gw.url, key, "m1")).toBe(401);
  } finally {
    await gw?.stop();
    await rm(stateDir, { recursive: true, force: true });
  }
}, 60_000);

test("a rotation that dies with its objects goes on where it stopped, and every credential opens", async () => {
  const [kek1, kek2] = [secret(), secret()];
  const KEK = `1:${kek1},2:${kek2}`;
  const wrapped = await wrapBundle("door");
  const cluster = await startCluster({
    workers: 1,
    bundle: wrapped.folder,
    vars: { PROFILE: "self-hosted", KEK },
  });
  try {
    const { organizationId } = cluster.tenant;
    const orgId = bareOrgId(organizationId);
    const names = ["m1", "m2", "m3", "m4", "m5", "m6"];
    for (const name of names) {
      await cluster.newModel(name, { upstream: up, organizationId }, { api_key: `sk-of-${name}` });
    }
    // As they would have been sealed before there was a second version.
    const vault = makeVault(parseVersionedSecrets("KEK", `1:${kek1}`), new Map());
    const now = makeVault(parseVersionedSecrets("KEK", KEK), new Map());
    const rows = await cluster.objects.sql(
      "SELECT id, provider, host, version, sealed FROM credentials",
    );
    const url = cluster.workers[0]?.url ?? "";
    for (const row of rows) {
      const record = { ...row, lastFour: "" } as unknown as Parameters<typeof vault.open>[1];
      const { id, provider, version, sealed } = record;
      const to = await vault.seal(orgId, provider, id, version, await now.open(orgId, record));
      const statements = [replaceSealed(orgId, id, { from: sealed, to })];
      const change = { id: `back_${id}`, statements, touches: ["shared"], events: [] };
      await fetch(`${url}/test/apply`, { method: "POST", body: JSON.stringify({ orgId, change }) });
    }
    const left = async () =>
      Number(
        (
          await cluster.objects.sql("SELECT count(*) AS n FROM credentials WHERE sealed LIKE '1.%'")
        )[0]?.n,
      );
    expect(await left()).toBe(6);
    expect(await chat(url, cluster.firstKey, "m1")).toBe(200);

    const step = () =>
      cluster
        .admin<{ left: number }>("POST", "/key-encryption/rotate", {
          organization_id: organizationId,
          limit: 1,
        })
        .then(
          (answer) => answer.left,
          () => Number.NaN,
        );
    for (const delay of [0, 8, 20]) {
      const cut = step();
      await new Promise((resolve) => setTimeout(resolve, delay));
      await cluster.objects.kill();
      await cut;
      await cluster.objects.start();
    }
    await expect.poll(step, { timeout: 20_000 }).toBe(0);
    expect(await left()).toBe(0);
    for (const name of names) {
      up.calls.clear();
      await expect.poll(() => chat(url, cluster.firstKey, name), { timeout: 10_000 }).toBe(200);
      expect(up.calls.all[0]?.headers.authorization).toBe(`Bearer sk-of-${name}`);
    }
  } finally {
    await cluster.stop();
    await wrapped.remove();
  }
}, 90_000);
