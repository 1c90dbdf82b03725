import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ANSWER = JSON.stringify({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1,
  model: "bench",
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: "word ".repeat(40) },
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 20, completion_tokens: 40, total_tokens: 60 },
});

const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "bench", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

/** A server that answers; `url` is its base as an OpenAI SDK takes it. */
export interface Upstream {
  url: string;
  stop: () => Promise<void>;
}

/** nginx with one fixed answer: as fast as an upstream can be, so that what is measured is the rung. */
export async function startNginx(): Promise<Upstream> {
  const folder = await mkdtemp(join(tmpdir(), "routero-nginx-"));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  await writeFile(
    join(folder, "nginx.conf"),
    `worker_processes 1; daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server {
    listen 127.0.0.1:${port};
    location / { default_type application/json; return 200 '${ANSWER}'; }
  }
}`,
  );
  const child = spawn(
    "nginx",
    ["-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")],
    {
      stdio: "ignore",
    },
  );
  child.on("error", () => undefined);
  return {
    url: `http://127.0.0.1:${port}/v1`,
    async stop() {
      child.kill("SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Asked for this many tokens, the paced upstream streams an event every 20 ms until it is cut. */
export const ENDLESS = 4242;

/** A server that answers after 50 ms, or streams ten events without a pause when asked to stream. */
export async function startPaced(): Promise<Upstream & { cut: () => Promise<number> }> {
  let told: (at: number) => void = () => undefined;
  const server = createServer((request, answer) => {
    let body = "";
    request.on("data", (piece: Buffer) => (body += piece.toString()));
    request.on("end", () => {
      if (body.includes('"stream":true')) {
        answer.writeHead(200, { "content-type": "text/event-stream" });
        answer.write(chunk({ role: "assistant", content: "" }));
        if (body.includes(`"max_tokens":${ENDLESS}`)) {
          const ticking = setInterval(() => answer.write(chunk({ content: "t " })), 20);
          answer.on("close", () => {
            clearInterval(ticking);
            told(performance.now());
          });
          return;
        }
        for (let i = 0; i < 10; i++) answer.write(chunk({ content: `t${i} ` }));
        answer.end(`${chunk({}, "stop")}data: [DONE]\n\n`);
        return;
      }
      setTimeout(() => {
        answer.writeHead(200, { "content-type": "application/json" });
        answer.end(ANSWER);
      }, 50);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    /** When the next endless stream is cut, by `performance.now`. */
    cut: () => new Promise((resolve) => (told = resolve)),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
