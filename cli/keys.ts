// Moves what a gateway has stored to its newest secrets while it serves, through the public admin API.
import { setTimeout as pause } from "node:timers/promises";
import { ask, Refused } from "./gateway.ts";

/** Where to, as whom, and who is told what happens. */
export interface RotateOptions {
  /** The gateway's address. */
  url: string;
  masterKey: string;
  progress: (line: string) => void;
}

/** What a rotation came to, over all organizations. */
export interface Rotated {
  organizations: number;
  rewrapped: number;
  /** Virtual keys whose hash rests on an older pepper: they move when they are next used. */
  keysLeft: number;
  /** Virtual keys that need an older pepper at all; at 0 it may be removed. */
  tokensLeft: number;
}

/** Thrown when the gateway makes no headway. */
class RotateError extends Error {
  override name = "RotateError";
}

interface Stand {
  rewrapped: number;
  left: number;
  key_encryption_version: number;
  keys_left: number;
  tokens_left: number;
}

const PAGE = 100;
const MOST_ATTEMPTS = 10;

/**
 * Rewraps every organization's stored provider credentials, batch by batch, until none is left under an older
 * key-encryption key. Safe to interrupt and to repeat: it goes on where it stopped. Throws `Refused` and `Unreachable` too.
 */
export async function rotate(options: RotateOptions): Promise<Rotated> {
  const sum: Rotated = { organizations: 0, rewrapped: 0, keysLeft: 0, tokensLeft: 0 };
  for (let page = 1; ; page++) {
    const query = `/organization/list?page=${page}&page_size=${PAGE}`;
    const rows = (await call(options, "GET", query)) as { organization_id: string }[];
    for (const { organization_id } of rows) {
      const { rewrapped, keysLeft, tokensLeft } = await rotateOne(options, organization_id);
      sum.organizations += 1;
      sum.rewrapped += rewrapped;
      sum.keysLeft += keysLeft;
      sum.tokensLeft += tokensLeft;
    }
    if (rows.length < PAGE) return sum;
  }
}

async function rotateOne(
  options: RotateOptions,
  organization_id: string,
): Promise<Omit<Rotated, "organizations">> {
  let rewrapped = 0;
  for (;;) {
    const path = "/key-encryption/rotate";
    const stand = (await call(options, "POST", path, { organization_id })) as Stand;
    rewrapped += stand.rewrapped;
    options.progress(
      `${organization_id}: ${rewrapped} rewrapped under version ${stand.key_encryption_version}, ` +
        `${stand.left} left; ${stand.tokens_left} keys need an older pepper, ${stand.keys_left} of them unused`,
    );
    if (stand.left === 0) {
      return { rewrapped, keysLeft: stand.keys_left, tokensLeft: stand.tokens_left };
    }
    if (stand.rewrapped === 0) {
      throw new RotateError(`${organization_id}: ${stand.left} credentials don't move`);
    }
  }
}

/** One admin call, again where the gateway says that it can't be reached now. */
async function call(
  { url, masterKey }: RotateOptions,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      return JSON.parse(await ask({ url, key: masterKey }, method, path, body)) as unknown;
    } catch (error) {
      const again = error instanceof Refused && error.status === 503 && attempt < MOST_ATTEMPTS;
      if (!again) throw error;
      await pause((error.retryAfter ?? 1) * 1000);
    }
  }
}
