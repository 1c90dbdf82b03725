// `npm start`: the whole gateway on this machine, with a first key that works at once.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bootstrap } from "../cli/bootstrap.ts";
import { serve } from "./serve.ts";
import { keepSecrets, writeOnce, type Secrets } from "./secrets.ts";
import { ownVariables, readSettings } from "./settings.ts";
import { openState } from "./state.ts";

const say = (line: string): void => console.log(`routero: ${line}`);

try {
  await start();
} catch (error) {
  console.error(`routero: ${(error as Error).message}`);
  process.exit(1);
}

async function start(): Promise<void> {
  const settings = readSettings(process.env);
  const { stateDir } = settings;
  const letGo = await openState(stateDir);
  const secrets = await keepSecrets(stateDir, process.env);
  const gateway = await serve({
    host: settings.host,
    port: settings.port,
    stateDir: join(stateDir, "data"),
    bindings: {
      ...(await ownVariables()),
      ...secrets,
      ...optional(process.env),
      PROFILE: "self-hosted",
      ALLOW_PRIVATE_UPSTREAMS: String(settings.allowPrivateUpstreams),
    },
    progress: say,
  });
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    say("stopping; running requests may finish …");
    await gateway.stop();
    letGo();
    say("stopped");
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Miniflare's own handlers would exit under the requests.
    process.removeAllListeners(signal);
    process.on(signal, () => void stop());
  }
  try {
    const key = await firstKey(stateDir, gateway.url, secrets);
    if (!stopping) console.log(readyText(gateway.url, stateDir, key));
  } catch (error) {
    if (stopping) return;
    await gateway.stop();
    throw error;
  }
}

/**
 * The first key, made at the first start and kept in STATE_DIR/first-key until somebody deletes that file; null after
 * that. A crash between the key and its file leaves a key that nobody has seen: the next start makes another.
 */
async function firstKey(stateDir: string, url: string, secrets: Secrets): Promise<string | null> {
  const file = join(stateDir, "first-key");
  const mark = join(stateDir, "bootstrapped");
  const kept = await readFile(file, "utf8").catch(() => null);
  if (kept !== null) {
    await writeOnce(mark, "yes");
    return kept.trim();
  }
  if ((await readFile(mark, "utf8").catch(() => null)) !== null) return null;
  say("making a first organization, team, user and key …");
  const keyAliases = ["first-key", "first-key-2", "first-key-3", "first-key-4"];
  const { key } = await bootstrap({ url, masterKey: secrets.MASTER_KEY, keyAliases });
  if (key !== null) await writeOnce(file, key);
  await writeOnce(mark, "yes");
  return key;
}

/** Settings that may stand in the environment and that this machine has no default for. */
function optional(environment: NodeJS.ProcessEnv): Record<string, string> {
  const names = ["MASTER_KEY_PREVIOUS", "TRUSTED_PROXIES"];
  const given = names.map((name) => [name, environment[name] ?? ""] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== ""));
}

function readyText(url: string, stateDir: string, key: string | null): string {
  const shown = key ?? "$ROUTERO_KEY";
  const about =
    key === null
      ? "keys        POST /key/generate with the master key makes one"
      : `key         ${key}\n              (printed until ${join(stateDir, "first-key")} is deleted)`;
  return `
Routero is ready.

  address     ${url}
  ${about}
  master key  in ${join(stateDir, "secrets", "MASTER_KEY")}, unless the environment gave one
  API docs    ${url}/docs

Try it:

curl ${url}/v1/chat/completions -H "authorization: Bearer ${shown}" -H "content-type: application/json" -d '{"model":"sim/echo","messages":[{"role":"user","content":"Hello, Routero"}]}'

Or with the OpenAI SDK:

import OpenAI from "openai";
const client = new OpenAI({ baseURL: "${url}/v1", apiKey: "${shown}" });
const answer = await client.chat.completions.create({
  model: "sim/echo",
  messages: [{ role: "user", content: "Hello, Routero" }],
});
console.log(answer.choices[0].message.content);

Ctrl-C stops it; the state stays in ${stateDir}.
`;
}
