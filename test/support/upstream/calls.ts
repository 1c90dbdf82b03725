import type { IncomingHttpHeaders } from "node:http";
import { NO_USAGE, type Usage } from "./tokens.ts";
import type { Operation } from "./wire/wire.ts";

/** How a call ended: whole answer, scripted cut (or clean early end), or the client left. */
export type Ending = "complete" | "cut" | "aborted";

export interface Received {
  serial: number;
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  raw: Buffer;
  /** The parsed body, undefined when it is not JSON. */
  body: unknown;
  model: string;
  wire: string | undefined;
  operation: Operation | undefined;
}

/** One request that reached the provider, and what became of it. */
export class Call {
  readonly request: Received;
  /** Milliseconds of `performance.now()` at which each thing happened. */
  readonly at: Partial<Record<"received" | "headers" | "firstByte" | "content" | "end", number>>;
  /** Status sent, 0 before. */
  status = 0;
  /** What a provider would charge for. */
  billed: Usage = { ...NO_USAGE };
  ending: Ending | undefined;
  /** Status and headers were sent. */
  readonly started: Promise<void>;
  /** The first byte of the body was sent. */
  readonly answering: Promise<void>;
  /** Nothing more will be sent. */
  readonly ended: Promise<Ending>;
  /** The client left before the end; rejects when the call ends otherwise. */
  readonly aborted: Promise<void>;

  #sent: Buffer[] = [];
  #permits = 0;
  #waiting: (() => void)[] = [];
  readonly #marks = { headers: signal(), firstByte: signal(), end: signal<Ending>() };

  constructor(request: Received) {
    this.request = request;
    this.at = { received: performance.now() };
    this.started = this.#marks.headers.promise;
    this.answering = this.#marks.firstByte.promise;
    this.ended = this.#marks.end.promise;
    this.aborted = this.ended.then((ending) => {
      if (ending !== "aborted") throw new Error(`call ${request.serial} ended ${ending}`);
    });
    this.aborted.catch(() => undefined);
  }

  get model() {
    return this.request.model;
  }
  get path() {
    return this.request.path;
  }
  get headers() {
    return this.request.headers;
  }
  get raw() {
    return this.request.raw;
  }
  get body() {
    return this.request.body as Record<string, unknown>;
  }
  /** Exactly the body's bytes written so far, before compression. */
  get sent(): Buffer {
    return Buffer.concat(this.#sent);
  }

  /** Lets n gated content events pass, or ends one hang. */
  release(n = 1): void {
    this.#permits += n;
    while (this.#permits > 0 && this.#waiting.length > 0) {
      this.#permits -= 1;
      this.#waiting.shift()?.();
    }
  }
  releaseAll(): void {
    this.release(Infinity);
  }

  /** For the server: waits for one release or for the client to leave. */
  async permit(): Promise<void> {
    if (this.#permits > 0) this.#permits -= 1;
    else await new Promise<void>((resume) => this.#waiting.push(resume));
  }
  markHeaders(status: number): void {
    this.status = status;
    this.at.headers = performance.now();
    this.#marks.headers.resolve();
  }
  markSent(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#sent.push(bytes);
    this.at.firstByte ??= performance.now();
    this.#marks.firstByte.resolve();
  }
  markEnd(ending: Ending): void {
    if (this.ending !== undefined) return;
    this.ending = ending;
    this.at.end = performance.now();
    this.#marks.headers.resolve();
    this.#marks.firstByte.resolve();
    this.#marks.end.resolve(ending);
    for (const resume of this.#waiting.splice(0)) resume();
  }
}

/** Every call of a server in order of arrival, and those that wait for the next one. */
export class CallLog {
  readonly all: Call[] = [];
  #taken = new Set<Call>();
  #waiting: { model: string | undefined; take: (call: Call) => void }[] = [];

  add(call: Call): void {
    this.all.push(call);
    const at = this.#waiting.findIndex(({ model }) => model === undefined || model === call.model);
    if (at < 0) return;
    this.#taken.add(call);
    this.#waiting.splice(at, 1)[0]?.take(call);
  }

  /** The oldest call of the model that no `next` has handed out, or the first that comes. */
  next(model?: string): Promise<Call> {
    const known = this.all.find(
      (call) => !this.#taken.has(call) && (model === undefined || model === call.model),
    );
    if (known === undefined) {
      return new Promise((take) => this.#waiting.push({ model, take }));
    }
    this.#taken.add(known);
    return Promise.resolve(known);
  }

  /** Calls for answers, not for lists or counts. */
  of(model: string): Call[] {
    return this.all.filter((c) => c.model === model && c.request.operation === "generate");
  }

  clear(model?: string): void {
    const left = model === undefined ? [] : this.all.filter((call) => call.model !== model);
    this.all.splice(0, this.all.length, ...left);
    this.#taken = new Set(left.filter((call) => this.#taken.has(call)));
  }
}

function signal<T = void>() {
  return Promise.withResolvers<T>();
}
