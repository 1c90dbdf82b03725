import { createHash } from "node:crypto";
import { DurableObject } from "cloudflare:workers";
import bcrypt from "bcryptjs";
import { openDb } from "../worker/store/database.ts";
import type { KeyCheckAnswer } from "../worker/store/key-verifier.ts";
import { findKeyHash } from "../worker/store/keys.ts";
import { rehashKey } from "../worker/store/rotation.ts";
import { orgControl } from "./addresses.ts";
import { answered } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { FailureLimit } from "./failure-limit.ts";

const MAX_PROVEN = 10_000;
const MAX_FAILURES = 10;
const FAILURE_WINDOW_MS = 60_000;

/**
 * A shard of an organization's keys: the only place that runs bcrypt, so that its CPU time is nobody's request. The
 * row is read at each call, since this is the cold path; what was proven stays proven while the row's hash stays.
 */
export class KeyCheck extends DurableObject<Env> {
  readonly #limit = new FailureLimit(MAX_FAILURES, FAILURE_WINDOW_MS);
  /** Hashes of what was proven: a digest together with the row's bcrypt hash. */
  readonly #proven = new Set<string>();
  readonly #running = new Map<string, Promise<boolean>>();
  /** Ids of keys that are being put on the current pepper. */
  readonly #rehashing = new Set<string>();

  /** Whether a token with these digests (by version of the pepper) is the one that was issued under this key id. */
  verify(
    orgId: string,
    keyId: string,
    digests: Record<number, string>,
    address: string | null,
  ): Promise<Answer<KeyCheckAnswer>> {
    return answered(() => this.#verify(orgId, keyId, digests, address));
  }

  /** The form of a new key's digest at rest. */
  hash(digest: string): Promise<Answer<string>> {
    return answered(() => bcrypt.hash(digest, costOf(this.env.BCRYPT_COST)));
  }

  async #verify(
    orgId: string,
    keyId: string,
    digests: Record<number, string>,
    address: string | null,
  ): Promise<KeyCheckAnswer> {
    const source = `${keyId} ${address ?? ""}`;
    const retryAfter = this.#limit.wait(source, Date.now());
    if (retryAfter > 0) return { valid: false, revision: 0, retryAfter };
    const row = await findKeyHash(openDb(this.env.DB), orgId, keyId);
    if (!row) return { valid: false, revision: 0 };
    // The asking isolate runs on an older configuration than the one that hashed this key: that is no "wrong key".
    if (row.pepperVersion > currentOf(digests)) throw new Error("A newer pepper is in use.");
    // A pepper that is no longer configured: nothing that rests on it proves this key any more.
    const digest = digests[row.pepperVersion];
    const { revision } = row;
    if (digest !== undefined && (await this.#prove(keyId, digest, row.hash))) {
      if (row.pepperVersion < currentOf(digests)) this.#rehashBehind(orgId, keyId, digests, row);
      return { valid: true, revision };
    }
    const { previous } = row;
    if (previous !== null && Date.now() < previous.until) {
      const before = digests[previous.pepperVersion];
      if (before !== undefined && (await this.#prove(keyId, before, previous.hash))) {
        return { valid: true, revision, until: previous.until };
      }
    }
    if (digest !== undefined) this.#limit.count(source, Date.now());
    return { valid: false, revision };
  }

  /**
   * Puts a key that has just proved itself on the current pepper, behind its answer. What fails, or dies with the
   * object, is done at the key's next use; however often it is done, the row takes one of the hashes.
   */
  #rehashBehind(
    orgId: string,
    keyId: string,
    digests: Record<number, string>,
    row: { hash: string; pepperVersion: number },
  ): void {
    const version = currentOf(digests);
    if (this.#rehashing.has(keyId)) return;
    this.#rehashing.add(keyId);
    const rehash = async () => {
      const digest = digests[version] ?? "";
      const hash = await bcrypt.hash(digest, costOf(this.env.BCRYPT_COST));
      const move = { from: row, to: { hash, pepperVersion: version } };
      await orgControl(this.env, orgId).apply({
        id: `rehash_${keyId}_${fingerprint(row.hash)}_${version}`,
        statements: [rehashKey(orgId, keyId, move)],
        // Nothing that anybody has a copy of: the proofs that isolates hold stay as good as they are.
        touches: [],
        events: [],
      });
    };
    this.ctx.waitUntil(
      rehash()
        .catch(() => undefined)
        .finally(() => this.#rehashing.delete(keyId)),
    );
  }

  async #prove(keyId: string, digest: string, hash: string): Promise<boolean> {
    const proof = createHash("sha256").update(`${keyId}\0${digest}\0${hash}`).digest("hex");
    if (this.#proven.has(proof)) return true;
    // A burst of first requests with one key costs one bcrypt.
    const running = this.#running.get(proof) ?? bcrypt.compare(digest, hash);
    this.#running.set(proof, running);
    const valid = await running.finally(() => this.#running.delete(proof));
    if (valid) {
      if (this.#proven.size >= MAX_PROVEN) this.#proven.clear();
      this.#proven.add(proof);
    }
    return valid;
  }
}

function currentOf(digests: Record<number, string>): number {
  return Math.max(...Object.keys(digests).map(Number));
}

/** Names a hash in the id of a change, which is no place for the hash itself. */
function fingerprint(hash: string): string {
  return createHash("sha256").update(hash).digest("hex").slice(0, 16);
}

const DEFAULT_COST = 10;

/** The work factor, kept within what a request can bear: 4 to 15. */
function costOf(setting: string): number {
  const cost = Number(setting || DEFAULT_COST);
  return Number.isInteger(cost) ? Math.min(15, Math.max(4, cost)) : DEFAULT_COST;
}
