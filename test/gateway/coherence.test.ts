import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster, type Worker } from "../support/cluster/index.ts";
import {
  fails,
  gated,
  mix,
  startUpstream,
  text,
  type Upstream,
} from "../support/upstream/index.ts";

/** Every change is effective everywhere this long after it was acknowledged (milliseconds). */
const PROMISE = 5_000;
const MODEL = "steady";

let cluster: Cluster;
let up: Upstream;
let organization_id: string;

beforeAll(async () => {
  up = await startUpstream();
  const vars = { PROFILE: "self-hosted" };
  cluster = await startCluster({ workers: 4, vars });
  organization_id = cluster.tenant.organizationId;
  await newModel(MODEL);
});
afterAll(async () => {
  await cluster?.stop();
  await up?.stop();
});

const newModel = (name: string) =>
  cluster.newModel(name, { upstream: up, organizationId: organization_id }) as Promise<{
    model_info: { id: string };
  }>;
const change = <T = Record<string, string>>(path: string, body: object) =>
  cluster.admin<T>("POST", path, { organization_id, ...body });
const newKey = async (more: object = {}) =>
  (await change("/key/generate", { team_id: cluster.tenant.teamId, ...more })).key ?? "";

const setBlocked = (key: string, blocked: boolean) =>
  change(blocked ? "/key/block" : "/key/unblock", { key });
const deleteKey = (key: string) => change("/key/delete", { keys: [key] });

interface Said {
  status: number;
  code: string | undefined;
}

async function ask(worker: Worker, key: string, model = MODEL): Promise<Said> {
  const answer = await fetch(`${worker.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hello" }] }),
  });
  const body = (await answer.json()) as { error?: { code: string } };
  return { status: answer.status, code: body.error?.code };
}

const everywhere = (key: string, model?: string) =>
  Promise.all(cluster.workers.map((worker) => ask(worker, key, model)));

/** Light traffic on every worker until `stop`, which gives what was answered, by status. */
function traffic(key: string, model?: string) {
  let on = true;
  const seen = new Set<string>();
  const loops = cluster.workers.map(async (worker) => {
    while (on) {
      const { status, code } = await ask(worker, key, model);
      seen.add(code === undefined ? String(status) : `${status} ${code}`);
      await wait(40);
    }
  });
  return async () => {
    on = false;
    await Promise.all(loops);
    return [...seen].toSorted();
  };
}

/** Makes a change while all workers are warm with the key, then waits as long as was promised for its effect. */
async function effective(
  make: () => Promise<unknown>,
  key: string,
  expected: Said,
  model?: string,
): Promise<{ took: number; seen: string[] }> {
  await everywhere(key, model);
  const stop = traffic(key, model);
  await wait(200);
  await make();
  const began = performance.now();
  let last: Said[] = [];
  try {
    while (performance.now() - began < PROMISE) {
      last = await everywhere(key, model);
      if (last.every((said) => said.status === expected.status && said.code === expected.code)) {
        return { took: performance.now() - began, seen: await stop() };
      }
      await wait(50);
    }
  } finally {
    await stop();
  }
  throw new Error(`not effective everywhere in ${PROMISE} ms: ${JSON.stringify(last)}`);
}

const OK: Said = { status: 200, code: undefined };
const DEAD: Said = { status: 401, code: "invalid_api_key" };

test("a blocked key is dead on every worker within 5 s, and lives again as soon", async () => {
  const key = await newKey();
  const blocked = await effective(() => setBlocked(key, true), key, DEAD);
  expect(blocked.seen).toEqual(["200", "401 invalid_api_key"]);
  expect((await effective(() => setBlocked(key, false), key, OK)).took).toBeLessThan(PROMISE);
});

test("a short-lived key ends with its mother key", async () => {
  const key = await newKey();
  const made = await fetch(`${cluster.workers[0]?.url}/key/token`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ ttl: "10m", models: [MODEL] }),
  });
  const { token } = (await made.json()) as { token: string };
  expect(made.status).toBe(200);
  expect(await everywhere(token)).toEqual([OK, OK, OK, OK]);
  // Whatever its key may: what is short-lived calls models and nothing else.
  for (const path of ["/key/list", "/key/info", "/organization/list"]) {
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${cluster.workers[1]?.url}${path}`, { headers })).status).toBe(403);
  }
  await effective(() => deleteKey(key), token, DEAD);
});

test("the keys of a removed user are dead on every worker within 5 s", async () => {
  const { user_id } = await change("/user/new", { user_alias: "leaver", auto_create_key: false });
  const key = await newKey({ user_id });
  const removed = await effective(() => change("/user/delete", { user_ids: [user_id] }), key, DEAD);
  expect(removed.seen).toEqual(["200", "401 invalid_api_key"]);
});

test("a narrowed allowlist holds on every worker within 5 s", async () => {
  const key = await newKey();
  await effective(() => change("/key/update", { key, models: ["another"] }), key, {
    status: 403,
    code: "model_not_allowed",
  });
});

test("a model that was added serves, and one that was deleted is gone, everywhere within 5 s", async () => {
  const key = await newKey();
  const gone: Said = { status: 404, code: "model_not_found" };
  expect(await everywhere(key, "fresh")).toEqual([gone, gone, gone, gone]);
  let id = "";
  const add = async () => {
    id = (await newModel("fresh")).model_info.id;
  };
  await effective(add, key, OK, "fresh");
  await effective(() => change("/model/delete", { id }), key, gone, "fresh");
});

test("a model that was changed serves as it is now, everywhere within 5 s", async () => {
  const key = await newKey();
  const { model_info } = await newModel("before");
  up.model("after", fails("bad_request"));
  expect(await everywhere(key, "before")).toEqual([OK, OK, OK, OK]);
  const swap = () =>
    change("/model/update", { model_id: model_info.id, litellm_params: { model: "openai/after" } });
  const now: Said = { status: 400, code: "upstream_rejected" };
  await effective(swap, key, now, "before");
});

/** Reads a stream to its end; resolves with all of it and when it ended. */
async function drain(answer: Response): Promise<{ text: string; at: number }> {
  const all = await answer.text();
  return { text: all, at: performance.now() };
}

/** A stream on every worker that goes on until somebody ends it. */
function endlessStreams(key: string, more: object = {}) {
  return Promise.all(
    cluster.workers.map(async (worker) => {
      const asked = fetch(`${worker.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({
          model: "endless",
          stream: true,
          messages: [{ role: "user", content: "hello" }],
          ...more,
        }),
      });
      const call = await up.nextCall("endless");
      call.release(2);
      const answer = await asked;
      return { call, id: answer.headers.get("x-routero-call-id"), rest: drain(answer) };
    }),
  );
}

test("running streams end within 5 s of what ended their right: told why, cancelled upstream, charged", async () => {
  await newModel("endless");
  up.model("endless", mix(text("one two three four five six"), gated()));
  const ofUser = await change("/user/new", { user_alias: "streamer", auto_create_key: false });
  const ofTeam = await change("/team/new", { team_alias: "streamers" });
  const ends: [what: string, code: string, more: object, end: (key: string) => Promise<unknown>][] =
    [
      ["a blocked key", "invalid_api_key", {}, (key) => setBlocked(key, true)],
      ["a deleted key", "invalid_api_key", {}, deleteKey],
      [
        "a removed user",
        "invalid_api_key",
        { user_id: ofUser.user_id },
        () => change("/user/delete", { user_ids: [ofUser.user_id] }),
      ],
      [
        "a deleted team",
        "invalid_api_key",
        { team_id: ofTeam.team_id },
        () => change("/team/delete", { team_ids: [ofTeam.team_id] }),
      ],
      [
        "a narrowed allowlist",
        "model_not_allowed",
        {},
        (key) => change("/key/update", { key, models: [MODEL] }),
      ],
      [
        "a blocked customer",
        "forbidden",
        {},
        () => change("/customer/block", { user_ids: ["streaming-shop"] }),
      ],
    ];
  const running = [];
  for (const [what, code, more, end] of ends) {
    const key = await newKey(more);
    const customer = what === "a blocked customer" ? { user: "streaming-shop" } : {};
    running.push({ what, code, end: () => end(key), streams: await endlessStreams(key, customer) });
  }
  const unharmed = await endlessStreams(await newKey());
  await Promise.all(
    running.map(async ({ what, code, end, streams }) => {
      await end();
      const began = performance.now();
      const ended = await Promise.all(streams.map(({ rest }) => rest));
      await Promise.all(streams.map(({ call }) => call.aborted));
      for (const { text: said, at } of ended) {
        expect(at - began, what).toBeLessThan(PROMISE);
        expect(said, what).toContain(code);
        expect(said, what).not.toContain("[DONE]");
      }
    }),
  );
  for (const { id } of running.flatMap(({ streams }) => streams)) {
    const rows = () =>
      cluster.objects.sql("SELECT completion_tokens FROM usage_rows WHERE request_id = ?", id);
    await expect.poll(async () => Number((await rows())[0]?.completion_tokens)).toBeGreaterThan(0);
  }
  for (const { call } of unharmed) call.releaseAll();
  for (const { rest } of unharmed) expect((await rest).text).toContain("[DONE]");
}, 30_000);

test("a worker cut off from its objects refuses after 5 s, never serves stale, and recovers by itself", async () => {
  const [cut, other] = cluster.workers as [Worker, Worker];
  const key = await newKey();
  // A list of models needs the key and the organization, and nothing that can't be had without the objects.
  const list = async (worker: Worker): Promise<Said> => {
    const headers = { authorization: `Bearer ${key}` };
    const answer = await fetch(`${worker.url}/v1/models`, { headers });
    const body = (await answer.json()) as { error?: { code: string } };
    return { status: answer.status, code: body.error?.code };
  };
  for (const how of ["fail", "hang"] as const) {
    expect(await list(cut)).toEqual(OK);
    cluster.partition(cut, how);
    const began = performance.now();
    let said = await list(cut);
    expect(said).toEqual(OK);
    while (said.status === 200) {
      await wait(100);
      const asked = performance.now() - began;
      said = await list(cut);
      // What is served was admitted on a copy that was young when it was asked for.
      if (said.status === 200) expect(asked).toBeLessThan(PROMISE);
    }
    expect(said).toEqual({ status: 503, code: "control_plane_unavailable" });
    expect((await ask(cut, key)).status).toBe(503);
    expect(await ask(other, key)).toEqual(OK);
    await cluster.heal(cut);
    await expect.poll(() => ask(cut, key), { timeout: PROMISE }).toEqual(OK);
  }
}, 60_000);
