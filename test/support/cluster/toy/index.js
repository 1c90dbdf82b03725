// A worker with the project's bindings and one memory, object or storage behind each path: what the
// cluster promises is shown on it.
import { DurableObject } from "cloudflare:workers";

let memory = 0;

export class OrgControl extends DurableObject {
  add(amount) {
    const { sql } = this.ctx.storage;
    sql.exec("CREATE TABLE IF NOT EXISTS sums (sum INTEGER)");
    sql.exec("INSERT INTO sums VALUES (?)", amount);
    return sql.exec("SELECT sum(sum) AS sum FROM sums").one().sum;
  }
}
export class KeyCheck extends DurableObject {}

const count = async (read, write) => {
  const value = Number((await read()) ?? 0) + 1;
  await write(String(value));
  return value;
};

const routes = {
  "/health/readiness": () => "ready",
  "/memory": () => (memory += 1),
  "/log": () => (console.log("said by the toy"), "said"),
  "/object": (env) => env.ORG_CONTROL.getByName("one").add(1),
  "/d1": async (env) => {
    await env.DB.exec("CREATE TABLE IF NOT EXISTS toys (a INTEGER)");
    await env.DB.prepare("INSERT INTO toys VALUES (1)").run();
    return env.DB.prepare("SELECT count(*) AS n FROM toys").first("n");
  },
  "/kv": (env) =>
    count(
      () => env.KV.get("n"),
      (value) => env.KV.put("n", value),
    ),
  "/r2": (env) =>
    count(
      async () => (await env.ARCHIVE.get("n"))?.text(),
      (value) => env.ARCHIVE.put("n", value),
    ),
  "/queue": async (env) => (await env.TRAIL_QUEUE.send({}), "sent"),
  "/received": (env) => env.KV.get("received"),
};

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/call") {
      // A pump as the Worker has it: when the answer is over, however it ended, one more call.
      const { readable, writable } = new TransformStream();
      const answer = await fetch(searchParams.get("url"), {
        method: "POST",
        body: await request.text(),
      });
      const pump = answer.body.pipeTo(writable).catch(() => undefined);
      ctx.waitUntil(pump.then(() => fetch(searchParams.get("then"))));
      return new Response(readable);
    }
    try {
      return Response.json(await routes[pathname](env));
    } catch (error) {
      return Response.json(error.message, { status: 503 });
    }
  },
  async queue(batch, env) {
    const before = Number((await env.KV.get("received")) ?? 0);
    await env.KV.put("received", String(before + batch.messages.length));
  },
};
