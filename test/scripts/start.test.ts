import { spawn, type ChildProcess } from "node:child_process";
import { createServer } from "node:http";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer as createListener, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../../scripts/bundle.ts";

let stateDir: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "routero-start-"));
});
afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await rm(stateDir, { recursive: true, force: true });
});

interface Run {
  child: ChildProcess;
  said: () => string;
  /** Resolves when the text was said; rejects with all that was said if the process ends before. */
  heard: (text: string) => Promise<void>;
  ended: Promise<number | null>;
}

/** What `npm start` runs after the install, in an environment of our own. */
function start(environment: Record<string, string>): Run {
  const { PATH = "", HOME = "" } = process.env;
  const env: Record<string, string> = {
    PATH,
    HOME,
    STATE_DIR: stateDir,
    PORT: "0",
    ...environment,
  };
  const child = spawn(process.execPath, ["--no-warnings", "scripts/start.ts"], {
    cwd: root,
    env: env as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let said = "";
  const listeners = new Set<() => void>();
  const hear = (chunk: Buffer): void => {
    said += chunk.toString();
    for (const listener of listeners) listener();
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const ended = new Promise<number | null>((resolve) => {
    child.on("close", (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  const heard = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!said.includes(text)) return;
        listeners.delete(look);
        resolve();
      };
      listeners.add(look);
      look();
      void ended.then(() => reject(new Error(`ended before "${text}":\n${said}`)));
    });
  return { child, said: () => said, heard, ended };
}

const find = (run: Run, form: RegExp): string => form.exec(run.said())?.[1] ?? "";

/** Runs a line as a shell would. */
async function shell(line: string): Promise<string> {
  const child = spawn("sh", ["-c", line], { stdio: ["ignore", "pipe", "ignore"] });
  let out = "";
  for await (const chunk of child.stdout) out += String(chunk);
  return out;
}

const ask = (url: string, key: string, body: object) =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
const hello = { model: "sim/echo", messages: [{ role: "user", content: "hello" }] };

/** What the database of the stopped gateway holds of requests for a model. */
async function rowsOf(model: string): Promise<object[]> {
  const folder = join(stateDir, "data/d1/miniflare-D1DatabaseObject");
  const files = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  const database = new DatabaseSync(join(folder, files[0] ?? ""));
  const rows = database
    .prepare("SELECT outcome, status FROM usage_rows WHERE model = ?")
    .all(model);
  database.close();
  return rows.map((row) => ({ ...row }));
}

describe("npm start", () => {
  let key: string;

  test("prints a key and a curl line that work as they are, keeps its secrets private, ends with 0", async () => {
    const run = start({});
    await run.heard("Ctrl-C");
    const url = find(run, /address +(http\S+)/);
    key = find(run, /key +(sk-rt-\S+)/);
    const line = find(run, /^(curl .*)$/m);
    const answer = JSON.parse(await shell(`${line} -s`)) as { choices: { message: object }[] };
    expect(answer.choices[0]?.message).toMatchObject({ role: "assistant" });
    expect((await stat(join(stateDir, "first-key"))).mode & 0o777).toBe(0o600);
    expect((await stat(join(stateDir, "secrets"))).mode & 0o777).toBe(0o700);
    for (const name of ["MASTER_KEY", "KEY_PEPPER", "KEK", "AUDIT_SIGNING_KEY"]) {
      const file = join(stateDir, "secrets", name);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect(run.said()).not.toContain((await readFile(file, "utf8")).trim());
    }
    expect((await fetch(`${url}/health/readiness`)).status).toBe(200);

    const second = start({});
    expect(await second.ended).toBe(1);
    expect(second.said()).toMatch(/^routero: STATE_DIR .* is in use by another gateway.*\n$/);

    run.child.kill("SIGTERM");
    expect(await run.ended).toBe(0);
  });

  test("another start prints the same key, which still works, until its file is deleted", async () => {
    const again = start({});
    await again.heard("Ctrl-C");
    expect(find(again, /key +(sk-rt-\S+)/)).toBe(key);
    expect((await ask(find(again, /address +(http\S+)/), key, hello)).status).toBe(200);
    again.child.kill("SIGINT");
    expect(await again.ended).toBe(0);

    await rm(join(stateDir, "first-key"));
    const third = start({});
    await third.heard("Ctrl-C");
    expect(third.said()).not.toContain("sk-rt-");
    expect((await ask(find(third, /address +(http\S+)/), key, hello)).status).toBe(200);
    third.child.kill("SIGTERM");
    expect(await third.ended).toBe(0);
  });

  test("a stop lets the running stream end and its row be written", async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const provider = createServer((_request, response) => {
      const chunk = (delta: object, finish: string | null = null): string =>
        `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(chunk({ role: "assistant", content: "one " }));
      void held.then(() => response.end(`${chunk({ content: "two" }, "stop")}data: [DONE]\n\n`));
    });
    await new Promise<void>((resolve) => provider.listen(0, "127.0.0.1", resolve));
    const { port } = provider.address() as AddressInfo;
    const run = start({});
    await run.heard("Ctrl-C");
    const url = find(run, /address +(http\S+)/);
    const master = (await readFile(join(stateDir, "secrets", "MASTER_KEY"), "utf8")).trim();
    const admin = async (path: string, body?: object) => {
      const answer = await fetch(url + path, {
        method: body ? "POST" : "GET",
        headers: { authorization: `Bearer ${master}`, "content-type": "application/json" },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      expect(answer.status).toBe(200);
      return (await answer.json()) as Record<string, unknown>;
    };
    await admin("/model/new", {
      model_name: "slow",
      litellm_params: {
        model: "openai/slow",
        api_base: `http://127.0.0.1:${port}/v1`,
        api_key: "any",
      },
    });
    const answer = await ask(url, key, { ...hello, model: "slow", stream: true });
    const reader = (answer.body as ReadableStream<Uint8Array>)
      .pipeThrough(new TextDecoderStream())
      .getReader();
    let text = (await reader.read()).value ?? "";
    run.child.kill("SIGTERM");
    await run.heard("stopping");
    // Longer than a stop takes that waits for nobody.
    await pause(1_000);
    release();
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    expect(text).toContain("two");
    expect(text).toContain("[DONE]");
    expect(await run.ended).toBe(0);
    provider.close();
    // What was debited before the stop is in the record, or is brought there at the next start.
    const again = start({});
    await again.heard("Ctrl-C");
    await expect
      .poll(() => rowsOf("slow"), { timeout: 10_000 })
      .toEqual([{ outcome: "success", status: 200 }]);
    again.child.kill("SIGTERM");
    expect(await again.ended).toBe(0);
  });
});

describe("a start that can't work says one line and exits with 1", () => {
  const failure = async (environment: Record<string, string>): Promise<string> => {
    const run = start(environment);
    expect(await run.ended).toBe(1);
    return run.said();
  };

  test("a port in use", async () => {
    const listener = createListener();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const { port } = listener.address() as AddressInfo;
    const other = await mkdtemp(join(tmpdir(), "routero-start-"));
    expect(await failure({ PORT: String(port), STATE_DIR: other })).toBe(
      `routero: port ${port} is in use on 127.0.0.1; set PORT to another one\n`,
    );
    listener.close();
    await rm(other, { recursive: true });
  });

  test.each([
    ["PORT", "http", /^routero: PORT must be a number .*\n$/],
    ["HOST", "no host", /^routero: HOST must be .*\n$/],
    ["ALLOW_PRIVATE_UPSTREAMS", "perhaps", /^routero: ALLOW_PRIVATE_UPSTREAMS must be .*\n$/],
    ["MASTER_KEY", "short", /^routero: MASTER_KEY in the environment must .*\n$/],
    ["KEK", "1:notbase64", /^routero: KEK in the environment must .*\n$/],
  ])("%s=%s", async (name, value, line) => {
    const other = await mkdtemp(join(tmpdir(), "routero-start-"));
    expect(await failure({ [name]: value, STATE_DIR: other })).toMatch(line);
    await rm(other, { recursive: true });
  });

  test("a STATE_DIR that is a file, or not ours to write", async () => {
    const folder = await mkdtemp(join(tmpdir(), "routero-start-"));
    const file = join(folder, "file");
    await writeFile(file, "");
    const line = /^routero: STATE_DIR .* is not writable: .*\n$/;
    expect(await failure({ STATE_DIR: file })).toMatch(line);
    if (process.getuid?.() !== 0) {
      await chmod(folder, 0o500);
      expect(await failure({ STATE_DIR: join(folder, "below") })).toMatch(line);
      await chmod(folder, 0o700);
    }
    await rm(folder, { recursive: true });
  });
});
