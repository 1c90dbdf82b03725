import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifierKey } from "../../worker/core/sealed-log/note.ts";
import { cosignature, witnessOf } from "../support/witness.ts";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

let gw: TestGateway;
let folder: string;

beforeAll(async () => {
  const AUDIT_WITNESSES = verifierKey(await witnessOf());
  gw = await startGateway({ vars: { PROFILE: "self-hosted", AUDIT_WITNESSES } });
  folder = await mkdtemp(join(tmpdir(), "audit-"));
});
afterAll(async () => {
  await gw?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function routero(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, MASTER_KEY: gw.masterKey, ROUTERO_URL: gw.url };
  try {
    const done = await run(process.execPath, [join(root, "cli/routero.ts"), ...words], { env });
    return { code: 0, out: done.stdout, err: done.stderr };
  } catch (cause) {
    const { code, stdout, stderr } = cause as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

async function call(path: string, body?: object): Promise<Response> {
  return fetch(gw.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${gw.masterKey}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

interface Logged {
  data: Record<string, unknown>[];
  cursor: string | null;
}

test("requests and changes are in the log, come out of the gateway, and are checked without it", async () => {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gw.firstKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "sim/echo", messages: [{ role: "user", content: "hello" }] }),
  });
  expect(answer.status).toBe(200);
  const requestId = answer.headers.get("x-routero-call-id") ?? "";
  await call("/team/new", { team_alias: "audited", max_budget: 5 });

  const ofRequest = async () =>
    ((await (await call(`/audit-log?request_id=${requestId}`)).json()) as Logged).data;
  await expect.poll(async () => (await ofRequest()).length, { timeout: 10_000 }).toBe(2);
  const [outcome, decision] = await ofRequest();
  expect(outcome).toMatchObject({ event_type: "request.completed", status: 200, provider: "sim" });
  expect(decision).toMatchObject({ event_type: "request.routed", model: "sim/echo" });
  // Every member of a decision has its place in the log's form: nothing had to be left out.
  expect(decision).not.toHaveProperty("cut");
  const changes = (await (await call("/audit")).json()) as {
    audit_logs: Record<string, unknown>[];
  };
  expect(changes.audit_logs[0]).toMatchObject({
    action: "created",
    table_name: "teams",
    updated_values: { team_alias: "audited", max_budget: 5 },
  });
  const csv = await (await call("/audit-log?format=csv&event_type=team.created")).text();
  expect(csv.split("\r\n")[1]).toContain("team.created");

  expect(await routero("audit", "export", folder)).toMatchObject({ code: 0 });
  const verified = await routero("audit", "verify", folder);
  expect(verified.out).toContain("SOUND");
  expect(verified.out).toContain("can't be excluded");
  expect(verified.code).toBe(0);

  const kept = join(folder, "kept");
  await writeFile(kept, await (await call("/audit-log/checkpoint?format=text&seal=true")).text());
  const since = await routero("audit", "verify", gw.url, "--since", kept);
  expect([since.code, since.out]).toEqual([0, expect.stringContaining("SOUND")]);
  const proved = (await (await call("/audit-log/verify", {})).json()) as Record<string, unknown>;
  expect(proved).toMatchObject({ valid: true, faults: [] });

  const eventId = String(decision?.["event_id"]);
  const proof = await routero("audit", "prove", folder, eventId);
  const online = await routero("audit", "prove", gw.url, eventId);
  expect([proof.code, online.code]).toEqual([0, 0]);
  const { record } = (await (await call(`/audit-log/${eventId}/proof`)).json()) as {
    record: string;
  };
  const keys = await readFile(
    join(folder, "audit/keys", (await readdirOne(join(folder, "audit/keys"))) ?? ""),
    "utf8",
  );
  const { verifier_key: trust } = JSON.parse(keys) as { verifier_key: string };
  await writeFile(join(folder, "record"), record);
  for (const { out } of [proof, online]) {
    await writeFile(join(folder, "proof"), out);
    const checked = await checkProof(trust);
    expect([checked.code, checked.out]).toEqual([0, expect.stringContaining(`proved: ${eventId}`)]);
  }
  await writeFile(join(folder, "record"), record.replace("sim/echo", "sim/text"));
  expect(await checkProof(trust)).toMatchObject({
    code: 1,
    out: expect.stringContaining("not the one that was sealed"),
  });

  // A policy that decides, and two deployments whose order is drawn: made anew offline, it comes out the same.
  const again = await routero("audit", "replay", folder);
  expect([again.code, again.out]).toEqual([
    0,
    expect.stringMatching(/^1 decisions made anew, 1 the same/),
  ]);
  for (const id of ["d1", "d2", "d3"])
    await call("/model/new", {
      model_name: "drawn",
      litellm_params: { model: "sim/echo", weight: id === "d1" ? 1 : 3 },
      model_info: { id },
    });
  const workspace = gw.tenant.organizationId;
  const published = await fetch(`${gw.url}/policy/${workspace}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${gw.masterKey}`, "content-type": "application/json" },
    body: JSON.stringify({
      yaml: "rules:\n  - { id: secret, when: { metadata.class: secret }, block: { message: no } }\n  - { id: all, route: drawn }\n",
    }),
  });
  expect([published.status, await published.text()]).toEqual([200, expect.any(String)]);
  const ids: string[] = [];
  const chat = async (metadata: object) => {
    const said = await fetch(`${gw.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${gw.firstKey}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: "sim/echo",
        metadata,
        messages: [{ role: "user", content: `hello ${ids.length}` }],
      }),
    });
    ids.push(said.headers.get("x-routero-call-id") ?? "");
    await said.text();
    return said.status;
  };
  await expect.poll(() => chat({ class: "secret" }), { timeout: 10_000 }).toBe(403);
  for (let n = 0; n < 8; n++) expect(await chat({ class: "open" })).toBe(200);
  const later = `${folder}/later`;
  expect(await routero("audit", "export", later)).toMatchObject({ code: 0 });
  const all = await routero("audit", "replay", later);
  expect([all.code, all.out]).toEqual([0, expect.stringMatching(/^\d+ decisions made anew/)]);
  const events = (
    (await (await call("/audit-log?event_type=request.routed&limit=1")).json()) as Logged
  ).data;
  const replayed = (await (
    await call("/audit-log/replay", { event_id: String(events[0]?.["event_id"]) })
  ).json()) as { replayed: Record<string, unknown> };
  expect(replayed).toMatchObject({
    same: true,
    unknown: [],
    replayed: { rule_id: "all", route: "drawn" },
  });
  expect(new Set(replayed.replayed["plan"] as string[])).toEqual(new Set(["d1", "d2", "d3"]));
  expect(await routero("audit", "verify", later)).toMatchObject({ code: 0 });

  const segment = join(
    folder,
    "audit/segments",
    (await readdirOne(join(folder, "audit/segments"))) ?? "",
  );
  const bytes = await readFile(segment);
  bytes[4] = (bytes[4] ?? 0) ^ 1;
  await writeFile(segment, bytes);
  const broken = await routero("audit", "verify", folder);
  expect(broken.code).toBe(1);
  expect(broken.out).toContain("NOT SOUND");
  expect(broken.out).toContain("is not the object that was sealed");
  // What an earlier export holds is evidence: another one replaces nothing of it.
  const onto = await routero("audit", "export", folder);
  expect([onto.code, onto.out]).toEqual([1, expect.stringContaining("of an earlier export")]);
  expect(await readFile(segment)).toEqual(bytes);
}, 60_000);

test("a witness's cosignature is kept beside the checkpoint, and verify asks for it", async () => {
  const witness = await witnessOf();
  const checkpoint = await (await call("/audit-log/checkpoint?format=text&seal=true")).text();
  const size = Number(checkpoint.split("\n")[1]);
  const line = await cosignature(checkpoint, witness);
  const wrong = await call("/audit-log/witness", { size: size - 1, cosignatures: line });
  expect([wrong.status, await wrong.text()]).toEqual([
    wrong.status === 404 ? 404 : 422,
    expect.stringMatching(/checkpoint/),
  ]);
  const stranger = await cosignature(checkpoint, { ...witness, name: "stranger.example" });
  const taken = await call("/audit-log/witness", {
    size,
    cosignatures: `${checkpoint}${line}${stranger}`,
  });
  expect([taken.status, await taken.json()]).toEqual([
    200,
    expect.objectContaining({
      size,
      accepted: [expect.objectContaining({ witness: witness.name })],
      // The log's own signature and the stranger's.
      ignored: 2,
    }),
  ]);
  const copy = join(folder, "cosigned");
  expect(await routero("audit", "export", copy)).toMatchObject({ code: 0 });
  const report = await routero("audit", "verify", copy, "--witness", verifierKey(witness));
  expect([report.code, report.out]).toEqual([
    0,
    expect.stringContaining(`Up to record ${size} ${witness.name} vouches`),
  ]);
  const other = verifierKey(await witnessOf(8));
  const missed = await routero("audit", "verify", copy, "--witness", other);
  expect([missed.code, missed.out]).toEqual([1, expect.stringContaining("holds none of")]);
  expect(await routero("audit", "verify", copy, "--witness", "nonsense")).toMatchObject({
    code: 2,
  });
}, 60_000);

test("a refusal is on record whatever stood in place of the model, but not a key that was pasted there", async () => {
  const { organizationId, key } = await gw.newTenant("pasted");
  const refused = async (model: string) => {
    const answer = await fetch(`${gw.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "hello" }] }),
    });
    await answer.text();
    const requestId = answer.headers.get("x-routero-call-id") ?? "";
    const path = `/audit-log?organization_id=${organizationId}&request_id=${requestId}`;
    const logged = (await (await call(path)).json()) as Logged;
    return [answer.status, ...logged.data.map(({ model: name }) => name)];
  };
  // A character that a cut goes through, at either bound, and halves alone.
  for (const [length, half] of [
    [127, "😀"],
    [255, "😀"],
    [256, "\ud800"],
  ] as const)
    expect(await refused("a".repeat(length) + half)).toEqual([
      404,
      expect.stringMatching(/^a{127}[a\ufffd]…$|^a{127}😀$/u),
    ]);
  expect(await refused("\ud800".repeat(256))).toEqual([404, `${"\ufffd".repeat(128)}…`]);
  const pasted = ["sk-ant", "api03", "abcDEF123456"].join("-");
  expect(await refused(`openai ${pasted} gpt-4o`)).toEqual([404, "openai *** gpt-4o"]);
});

test("what is used wrongly or can't be read is told apart by exit code", async () => {
  expect(await routero("audit", "verify")).toMatchObject({ code: 2 });
  expect(await routero("audit", "nonsense")).toMatchObject({ code: 2 });
  expect(await routero("audit", "verify", "/nowhere")).toMatchObject({ code: 3 });
  expect(await routero("audit", "prove", "/nowhere", "evt_1")).toMatchObject({ code: 3 });
  const nonsense = ["--since", join(root, "package.json")];
  expect(await routero("audit", "verify", folder, ...nonsense)).toMatchObject({
    code: 3,
    err: expect.stringContaining("is no checkpoint"),
  });
  const away = ["--url", "http://127.0.0.1:9", "--key", "sk-x"];
  expect(await routero("audit", "export", folder, ...away)).toMatchObject({ code: 3 });
});

function checkProof(trust: string) {
  const [proof, record] = [join(folder, "proof"), join(folder, "record")];
  return routero("audit", "check-proof", proof, "--record", record, "--trust", trust);
}

async function readdirOne(path: string): Promise<string | undefined> {
  return (await readdir(path)).toSorted()[0];
}
