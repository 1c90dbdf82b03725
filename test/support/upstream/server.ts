import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { signatureFault } from "./aws-signature.ts";
import type { Behaviour, Failure } from "./behaviour.ts";
import { Call, CallLog } from "./calls.ts";
import { deliver, schedule, type Step } from "./delivery.ts";
import { recordedBody, recordedFrames } from "./recording.ts";
import { compose } from "./reply.ts";
import { countInput, NO_USAGE, type Usage } from "./tokens.ts";
import { anthropic } from "./wire/anthropic.ts";
import { bedrockInvoke, bedrockOpenai, converse, vertexAnthropic } from "./wire/bedrock.ts";
import { cohere } from "./wire/cohere.ts";
import { gemini } from "./wire/gemini.ts";
import { ollama } from "./wire/ollama.ts";
import { openaiChat } from "./wire/openai-chat.ts";
import { openaiResponses } from "./wire/openai-responses.ts";
import { type Ask, type Frame, type Wire } from "./wire/wire.ts";

/** Asked in this order; the more particular ones first. */
const wires: Wire[] = [
  anthropic,
  converse,
  bedrockOpenai,
  bedrockInvoke,
  vertexAnthropic,
  gemini,
  cohere,
  ollama,
  openaiResponses,
  openaiChat,
];

export interface UpstreamOptions {
  /** Credentials that are let in (bearer, x-api-key or api-key); unset lets everybody in. */
  keys?: string[];
  /** Answers of models without a behaviour of their own; default: "Hello from the provider." */
  fallback?: Behaviour;
  /** Refuses models that have no behaviour as unknown. */
  closed?: boolean;
  port?: number;
}

/** A provider on loopback that speaks the real wire formats and does as it is told. */
export interface Upstream {
  /** Origin without a path: `http://127.0.0.1:<port>`. OpenAI's base is `${url}/v1`, Anthropic's is `url`. */
  url: string;
  /** Every request in order of arrival. */
  calls: CallLog;
  /** What this model does whenever no scripted step is left. */
  model(name: string, behaviour: Behaviour): Upstream;
  /** Appends steps that this model goes through first, one per request (or `times`). */
  script(name: string, steps: Behaviour[]): Upstream;
  /** The next call that no `nextCall` has handed out, of this model or of any. */
  nextCall(model?: string): Promise<Call>;
  /** Resolves when all calls so far have ended. */
  idle(): Promise<void>;
  /** Forgets behaviours, scripts and calls, of one model or of all; running answers go on. */
  reset(model?: string): void;
  /** Destroys every connection and closes the port. */
  stop(): Promise<void>;
}

export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const defaults = new Map<string, Behaviour>();
  const scripts = new Map<string, Behaviour[]>();
  const calls = new CallLog();
  let serial = 0;

  function behaviourOf(model: string): Behaviour | undefined {
    const steps = scripts.get(model) ?? [];
    const [step] = steps;
    if (step === undefined) {
      return (
        defaults.get(model) ?? (options.closed === true ? undefined : (options.fallback ?? {}))
      );
    }
    const left = (step.times ?? 1) - 1;
    if (left > 0) steps[0] = { ...step, times: left };
    else steps.shift();
    return step;
  }

  const server = createServer((req, res) => {
    serial += 1;
    void serve(req, res, serial).catch((error: unknown) => {
      res.destroy();
      console.error("upstream:", error);
    });
  });

  async function serve(req: IncomingMessage, res: ServerResponse, number: number) {
    const raw = await bytesOf(req);
    if (raw === undefined) return;
    const url = new URL(req.url ?? "/", "http://upstream");
    const method = req.method ?? "GET";
    const body = parse(raw);
    const found = wires
      .map((wire) => ({ wire, operation: wire.route(method, url.pathname, req.headers) }))
      .find(({ operation }) => operation !== undefined);
    const wire = found?.wire ?? openaiChat;
    const operation = found?.operation;
    const request = { path: url.pathname, query: url.searchParams, headers: req.headers, body };
    const model = wire.model(request);
    const call = new Call({
      serial: number,
      method,
      ...request,
      raw,
      model,
      wire: found?.wire.name,
      operation,
    });
    res.once("close", () => {
      if (!res.writableFinished) call.markEnd("aborted");
    });
    // Checks of the gateway come when they like; what tests count are calls for callers.
    const isCheck = req.headers["user-agent"] === "routero-health";
    if (!isCheck) calls.add(call);

    const refuse = (failure: Failure) => sendError(res, call, wire, failure);
    if (operation === undefined) {
      return refuse({ kind: "model_not_found", message: `No route ${method} ${url.pathname}` });
    }
    if (req.headers.authorization?.startsWith("AWS4")) {
      const signed = { method, path: req.url ?? "/", headers: req.headers, raw };
      const message = signatureFault(signed);
      if (message !== undefined) return refuse({ kind: "invalid_key", message });
    }
    const key = wire.key(req.headers);
    if (options.keys !== undefined && !options.keys.includes(key ?? "")) {
      return refuse({ kind: "invalid_key" });
    }
    if (operation === "models") {
      const names = [...new Set([...defaults.keys(), ...scripts.keys()])].toSorted();
      return sendWhole(res, call, JSON.stringify(wire.models(names)), {}, NO_USAGE);
    }
    const ask = wire.read(operation, request);
    if ("kind" in ask) return refuse(ask);
    if (operation === "count") {
      const { failure, body: served } = behaviourOf(model) ?? {};
      if (failure !== undefined) return refuse(failure);
      if (served !== undefined) return answer(res, call, wire, ask, { body: served });
      return sendWhole(res, call, JSON.stringify(wire.count(countInput(ask))), {}, NO_USAGE);
    }
    const behaviour = behaviourOf(model);
    if (behaviour === undefined) return refuse({ kind: "model_not_found" });
    await answer(res, call, wire, ask, behaviour);
  }

  server.keepAliveTimeout = 0;
  server.requestTimeout = 0;
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const upstream: Upstream = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    model(name, behaviour) {
      defaults.set(name, behaviour);
      return upstream;
    },
    script(name, steps) {
      scripts.set(name, [...(scripts.get(name) ?? []), ...steps]);
      return upstream;
    },
    nextCall: (model) => calls.next(model),
    idle: async () => void (await Promise.all(calls.all.map((call) => call.ended))),
    reset(model) {
      if (model === undefined) {
        defaults.clear();
        scripts.clear();
      } else {
        defaults.delete(model);
        scripts.delete(model);
      }
      calls.clear(model);
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, "close");
    },
  };
  return upstream;
}

async function answer(res: ServerResponse, call: Call, wire: Wire, ask: Ask, b: Behaviour) {
  if (b.drop === true) {
    call.markEnd("cut");
    return void res.destroy();
  }
  if (b.hang === "headers") await call.permit();
  if (b.latency !== undefined) await Promise.race([wait(b.latency), call.ended]);
  if (call.ending !== undefined) return;
  if (b.failure !== undefined) return sendError(res, call, wire, b.failure);
  for (const [name, value] of Object.entries(b.headers ?? {})) res.setHeader(name, value);
  if (b.body !== undefined) {
    res.statusCode = b.body.status ?? 200;
    if (b.body.type !== undefined) res.setHeader("content-type", b.body.type);
    return sendWhole(res, call, b.body.text, b, NO_USAGE);
  }
  if (b.recording !== undefined) {
    if (!ask.stream) return sendWhole(res, call, recordedBody(b.recording), b, NO_USAGE);
    return sendStream(res, call, wire, recordedFrames(b.recording, wire), b, NO_USAGE);
  }
  const said = compose(ask, b, call.request.serial);
  if ("kind" in said) return sendError(res, call, wire, said);
  if (ask.array) res.setHeader("content-type", "application/json; charset=UTF-8");
  if (ask.stream) return sendStream(res, call, wire, wire.stream(said, b, ask), b, said.usage);
  return sendWhole(res, call, JSON.stringify(wire.whole(said, b)), b, said.usage);
}

function sendStream(
  res: ServerResponse,
  call: Call,
  wire: Wire,
  frames: Frame[],
  behaviour: Behaviour,
  usage: Usage,
) {
  if (!res.hasHeader("content-type")) res.setHeader("content-type", wire.streamType);
  res.setHeader("cache-control", "no-cache");
  if (behaviour.gzip === true) res.setHeader("content-encoding", "gzip");
  return deliver(res, call, schedule(frames, behaviour, wire), behaviour, usage);
}

/** A whole body; a point inside it that is not given in bytes means its middle. */
async function sendWhole(
  res: ServerResponse,
  call: Call,
  text: string,
  behaviour: Behaviour,
  usage: Usage,
) {
  const bytes = Buffer.from(text);
  if (!res.hasHeader("content-type")) res.setHeader("content-type", "application/json");
  if (behaviour.gzip === true) res.setHeader("content-encoding", "gzip");
  else res.setHeader("content-length", bytes.length);
  const middle = (at: Behaviour["cut"]) =>
    at === undefined || "bytes" in at ? at : { bytes: Math.floor(bytes.length / 2) };
  const { cut, eof, hang, split, gzip } = behaviour;
  const [cutAt, eofAt] = [middle(cut), middle(eof)];
  const hangAt = typeof hang === "object" ? middle(hang) : undefined;
  const placed: Behaviour = {
    ...(cutAt === undefined ? {} : { cut: cutAt }),
    ...(eofAt === undefined ? {} : { cut: eofAt }),
    ...(hangAt === undefined ? {} : { hang: hangAt }),
    ...(split === undefined ? {} : { split }),
    ...(gzip === undefined ? {} : { gzip }),
  };
  const frames: Frame[] = [{ text, kind: "content", tokens: 0, reasoning: false }];
  const steps: Step[] = schedule(frames, placed, openaiChat);
  await deliver(res, call, steps, placed, usage);
}

function sendError(res: ServerResponse, call: Call, wire: Wire, failure: Failure) {
  const { status, headers, body } = wire.error(failure, call.request.serial);
  res.statusCode = status;
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  return sendWhole(res, call, body, {}, NO_USAGE);
}

async function bytesOf(req: IncomingMessage): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  try {
    for await (const part of req) parts.push(part as Buffer);
  } catch {
    return undefined;
  }
  return Buffer.concat(parts);
}

function parse(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString()) as unknown;
  } catch {
    return undefined;
  }
}
