import { isSignedBy, keyIdOf, readVerifierKey } from "./note.ts";
import type { NoteKey, SignedNote } from "./note.ts";
import type { JsonObject } from "../json.ts";

/** What becomes of a checkpoint's signatures. */
export type SignedState = "right" | "by nobody" | "not all right";

/**
 * Which keys may sign, as the log goes on: those that were trusted from elsewhere, or else whoever signed its first
 * checkpoint; then each key that a record announces under a checkpoint which a trusted key signs.
 */
export class Trust {
  readonly #archived: () => Iterable<NoteKey>;
  readonly #trusted = new Map<string, { key: NoteKey; by: "you" | "the log" }>();
  /** What records have said since the last checkpoint. */
  #announced: NoteKey[] = [];
  #retired: string[] = [];

  /** `archived` are the public keys that lie beside the log. */
  constructor(given: readonly NoteKey[], archived: () => Iterable<NoteKey>) {
    for (const key of given) this.#trusted.set(keyIdOf(key), { key, by: "you" });
    this.#archived = archived;
  }

  /** The name of a key that was given. */
  get name(): string | undefined {
    return [...this.#trusted.values()].find(({ by }) => by === "you")?.key.name;
  }

  get keys(): { keyId: string; trustedBy: "you" | "the log" }[] {
    return [...this.#trusted].map(([keyId, { by }]) => ({ keyId, trustedBy: by }));
  }

  /** Reads what a record says of keys; returns the key that it announces. */
  notice(record: JsonObject): NoteKey | null {
    const { event_type: type, verifier_key: text, key_id: keyId } = record;
    if (type === "audit.key_retired" && typeof keyId === "string") this.#retired.push(keyId);
    if (type !== "audit.key_added" || typeof text !== "string") return null;
    const key = readVerifierKey(text);
    if (key !== null) this.#announced.push(key);
    return key;
  }

  /** Judges the next checkpoint; what was said before it counts from here on if it is right. */
  async judge(note: SignedNote): Promise<SignedState> {
    if (this.#trusted.size === 0)
      // Taken on trust, and said so.
      for (const key of this.#archived()) if (await isSignedBy(note, key)) this.#add(key);
    const signers = await this.#signers(note);
    // To the last byte: a signature that is not right has no place beside one that is.
    const all = signers.length === note.signatures.length;
    if (signers.length > 0 && all) {
      for (const key of this.#announced) this.#add(key);
      for (const keyId of this.#retired) this.#trusted.delete(keyId);
    }
    this.#announced = [];
    this.#retired = [];
    if (signers.length === 0) return "by nobody";
    return all ? "right" : "not all right";
  }

  #add(key: NoteKey): void {
    const keyId = keyIdOf(key);
    if (!this.#trusted.has(keyId)) this.#trusted.set(keyId, { key, by: "the log" });
  }

  /** Keys that rightly signed a note; none if not one of them was trusted before. */
  async #signers(note: SignedNote): Promise<NoteKey[]> {
    const trusted = [...this.#trusted.values()].map(({ key }) => key);
    const candidates = new Map([...trusted, ...this.#announced].map((key) => [keyIdOf(key), key]));
    const right: string[] = [];
    for (const [keyId, key] of candidates) if (await isSignedBy(note, key)) right.push(keyId);
    if (!right.some((keyId) => this.#trusted.has(keyId))) return [];
    return right.flatMap((keyId) => candidates.get(keyId) ?? []);
  }
}
