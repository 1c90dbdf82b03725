import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { bootstrap } from "../cli/bootstrap.ts";
import { root } from "../scripts/bundle.ts";
import { makeSecrets } from "../scripts/secrets.ts";
import { serve } from "../scripts/serve.ts";
import { benchPolicy } from "./policy.ts";
import { ENDLESS, startNginx, startPaced, type Upstream } from "./upstreams.ts";

/** Which upstream answers: at once, after 50 ms, as a stream, or as a stream that only a cut ends. */
export type UpstreamPath = "instant" | "slow" | "stream" | "endless";

/** One rung of the ladder and the request that takes it. */
export interface Rung {
  name: string;
  about: string;
  request: (path: UpstreamPath) => { url: string; headers: Record<string, string>; body: string };
}

interface Options {
  portkey: boolean;
  say: (line: string) => void;
}

const PORTKEY = "@portkey-ai/gateway@1.15.2";
const messages = [{ role: "user", content: "Say forty words about gateways. ".repeat(4) }];
const CUSTOMER = "bench";
const bodyFor = (model: string, path: UpstreamPath, user?: string) =>
  JSON.stringify({
    model,
    messages,
    ...(user !== undefined && { user }),
    ...((path === "stream" || path === "endless") && { stream: true }),
    ...(path === "endless" && { max_tokens: ENDLESS }),
  });

/** Starts every rung on loopback; `stop` ends all that was started. */
export async function startRungs(
  options: Options,
): Promise<{ rungs: Rung[]; cut: () => Promise<number>; stop: () => Promise<void> }> {
  for (const tool of ["wrk", "nginx"]) {
    if (!onPath(tool))
      throw new Error(`${tool} is not installed; in Debian: apt-get install wrk nginx-light`);
  }
  const { say } = options;
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const each of stops.toReversed()) await each();
  };
  try {
    say("starting the upstreams …");
    const nginx = await startNginx();
    stops.push(nginx.stop);
    const paced = await startPaced();
    stops.push(paced.stop);
    const upstreamOf = (path: UpstreamPath): Upstream => (path === "instant" ? nginx : paced);
    const rungs: Rung[] = [
      {
        name: "direct",
        about: "nginx (instant) or a Node server (50 ms, streams), no gateway",
        request: (path) =>
          plain(`${upstreamOf(path).url}/chat/completions`, bodyFor("bench", path)),
      },
    ];
    say("starting the bare worker …");
    const bare = await startBare();
    stops.push(bare.stop);
    rungs.push({
      name: "bare worker",
      about: "a worker that passes request and answer through, same runtime, direct socket",
      request(path) {
        const made = plain(bare.url, bodyFor("bench", path));
        return {
          ...made,
          headers: { ...made.headers, "x-to": `${upstreamOf(path).url}/chat/completions` },
        };
      },
    });
    say("starting the gateway …");
    const gateway = await startGateway(upstreamOf);
    stops.push(gateway.stop);
    rungs.push(gateway.rung);
    if (options.portkey) {
      say("starting Portkey …");
      const portkey = await startPortkey(upstreamOf, say);
      stops.push(portkey.stop);
      rungs.push(portkey.rung);
    }
    return { rungs, cut: paced.cut, stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

function plain(url: string, body: string) {
  return { url, headers: { "content-type": "application/json" } as Record<string, string>, body };
}

async function startBare() {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      compatibilityDate: "2026-10-20",
      script: `export default {
        async fetch(request) {
          const body = await request.text();
          const answer = await fetch(request.headers.get("x-to"), { method: "POST", headers: { "content-type": "application/json" }, body });
          return new Response(answer.body, answer);
        },
      };`,
      unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      log: new Log(LogLevel.ERROR),
    }),
  );
  await miniflare.ready;
  const url = (await miniflare.unsafeGetDirectURL()).href;
  return { url, stop: () => miniflare.dispose() };
}

async function startGateway(upstreamOf: (path: UpstreamPath) => Upstream) {
  const stateDir = await mkdtemp(join(tmpdir(), "routero-bench-state-"));
  const secrets = makeSecrets();
  const served = await serve({
    host: "127.0.0.1",
    port: 0,
    stateDir,
    bindings: { ...secrets, PROFILE: "self-hosted", ALLOW_PRIVATE_UPSTREAMS: "true" },
    console: () => undefined,
  });
  const { MASTER_KEY: masterKey } = secrets;
  if (masterKey === undefined) throw new Error("no master key was made");
  const admin = adminOf(served.url, masterKey);
  const { organization, team, user } = await bootstrap({ url: served.url, masterKey });
  for (const path of ["instant", "slow", "stream", "endless"] as const) {
    await admin("POST", "/model/new", {
      model_name: path,
      litellm_params: {
        model: "openai/bench",
        api_base: upstreamOf(path).url,
        api_key: "none",
        input_cost_per_token: 1e-6,
        output_cost_per_token: 2e-6,
      },
    });
  }
  const key = await everythingOn(admin, { organization, team, user });
  const rung: Rung = {
    name: "gateway",
    about:
      "this commit: key, policy of 40 rules, budgets of organization, team, user, key and customer, audit, usage; self-hosted profile, direct socket",
    request(path) {
      const made = plain(`${served.url}/v1/chat/completions`, bodyFor(path, path, CUSTOMER));
      return { ...made, headers: { ...made.headers, authorization: `Bearer ${key}` } };
    },
  };
  return {
    rung,
    async stop() {
      await served.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

type Admin = (method: string, path: string, body: object) => Promise<Record<string, unknown>>;

function adminOf(url: string, masterKey: string): Admin {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${masterKey}`, "content-type": "application/json" };
    const asked = { method, headers, body: JSON.stringify(body) };
    const answer = await fetch(`${url}${path}`, asked);
    const said = await answer.text();
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${said.slice(0, 300)}`);
    return JSON.parse(said) as Record<string, unknown>;
  };
}

/** Budgets at five levels, far above what a run spends, and a policy whose last rule matches. Answers the key. */
async function everythingOn(
  admin: Admin,
  { organization, team, user }: { organization: string; team: string; user: string },
): Promise<string> {
  const budget = { max_budget: 10_000, budget_duration: "1mo", rpm_limit: 1_000_000 };
  const of = { organization_id: organization };
  await admin("PATCH", "/organization/update", { ...of, ...budget });
  await admin("POST", "/team/update", { ...of, team_id: team, ...budget });
  await admin("POST", "/user/update", { ...of, user_id: user, ...budget });
  await admin("POST", "/customer/new", { ...of, user_id: CUSTOMER, ...budget });
  const made = await admin("POST", "/key/generate", {
    ...of,
    team_id: team,
    user_id: user,
    key_alias: "bench",
    ...budget,
  });
  await admin("PUT", `/policy/${organization}`, {
    yaml: benchPolicy(40, "instant", "timeout: 60"),
  });
  return String(made["key"]);
}

/** Installed beside the bench on first use: it is a thing to compare with, not a part of the project. */
async function startPortkey(
  upstreamOf: (path: UpstreamPath) => Upstream,
  say: (line: string) => void,
) {
  const home = join(root, "node_modules/.cache/portkey");
  const script = join(home, "node_modules/@portkey-ai/gateway/build/start-server.js");
  if (!existsSync(script)) {
    say(`installing ${PORTKEY} …`);
    execFileSync("npm", [
      "install",
      "--prefix",
      home,
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      PORTKEY,
    ]);
  }
  const port = await freePort();
  const child = spawn(process.execPath, [script, `--port=${port}`, "--headless"], {
    stdio: "ignore",
    env: { ...process.env, TRUSTED_CUSTOM_HOSTS: "127.0.0.1,localhost", NODE_ENV: "production" },
  });
  const patience = AbortSignal.timeout(20_000);
  while (!patience.aborted) {
    const up = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (up) break;
    await pause(100);
  }
  const rung: Rung = {
    name: "portkey",
    about: `${PORTKEY} on Node ${process.version}, without keys, policy, budgets or audit`,
    request(path) {
      const made = plain(`http://127.0.0.1:${port}/v1/chat/completions`, bodyFor("bench", path));
      return {
        ...made,
        headers: {
          ...made.headers,
          authorization: "Bearer none",
          "x-portkey-provider": "openai",
          "x-portkey-custom-host": upstreamOf(path).url,
        },
      };
    },
  };
  return {
    rung,
    async stop() {
      child.kill("SIGTERM");
    },
  };
}

function onPath(tool: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, tool)));
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
