import type { Told } from "../told.ts";

/** One question in no dialect's words: what a client of any dialect asks over the gateway. */
export interface Asked {
  model: string;
  stream: boolean;
  system?: string;
  turns: Turn[];
  tools?: ToolAsked[];
  /** JSON schema of the answer. */
  schema?: object;
  reasoning?: boolean;
}

export type Turn =
  | { role: "user"; text: string; image?: { mediaType: string; base64: string } }
  /** An earlier answer, exactly as the client handed it out. */
  | { role: "answer"; answer: Answer }
  | { role: "results"; results: { id: string | undefined; name: string; value: object }[] };

export interface ToolAsked {
  name: string;
  description: string;
  schema: object;
}

/** What a client handed out. */
export interface Answer {
  told: Told;
  /** Ids of the calls, in the order of `told.calls`; undefined for one that came without. */
  callIds: (string | undefined)[];
  /** Chunks or events that came, 1 for a whole answer. */
  pieces: number;
  /** What the client puts into the next request to carry this answer on. */
  own: unknown;
}

/** A refusal as an official client throws it. */
export interface Thrown {
  status: number | undefined;
  message: string;
}

/** An official client that asks over the gateway. */
export interface Client {
  name: string;
  ask(asked: Asked): Promise<Answer>;
  thrown(error: unknown): Thrown;
}
