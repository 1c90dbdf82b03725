import { isSignedBy, keyIdOf, readVerifierKey } from "./note.ts";
import type { NoteKey, SignedNote } from "./note.ts";
import type { KeyOfLog } from "./report.ts";
import type { JsonObject } from "../json.ts";

/**
 * Which keys may sign, as the log goes on: those that were trusted from elsewhere, or else whoever signed its first
 * checkpoint; then each key that a record announces under a checkpoint which a trusted key signs. Where a trusted key came
 * into the log later, what came before it is taken from the log until that key signs: its tree holds all of it.
 */
export class Trust {
  readonly #archived: () => Iterable<NoteKey>;
  readonly #trusted = new Map<string, NoteKey>();
  /** Every key that was ever trusted, with what it signed. */
  readonly #keys = new Map<string, KeyOfLog>();
  readonly #name: string | undefined;
  /** Keys whose word counted until a key that was given signed: their signatures still have to be right. */
  readonly #former = new Map<string, NoteKey>();
  /** Keys that were given, as long as none of them has signed. */
  #awaited: ReadonlySet<string>;
  #vouchedAt: number | null = null;
  /** What records have said since the last checkpoint. */
  #announced: NoteKey[] = [];
  #retired: string[] = [];

  /** `archived` are the public keys that lie beside the log. */
  constructor(given: readonly NoteKey[], archived: () => Iterable<NoteKey>) {
    for (const key of given) this.#add(key, "you");
    this.#awaited = new Set(given.map(keyIdOf));
    this.#name = given[0]?.name;
    this.#archived = archived;
  }

  /** The name of a key that was given. */
  get name(): string | undefined {
    return this.#name;
  }

  get keys(): KeyOfLog[] {
    return [...this.#keys.values()];
  }

  /** True where keys were given, and none of them has signed anything. */
  get awaits(): boolean {
    return this.#awaited.size > 0;
  }

  /** The first checkpoint that a given key signed, by its size, where others had signed before it. */
  get vouchedAt(): number | null {
    return this.#vouchedAt;
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

  /**
   * Says what is wrong with the signatures of the next checkpoint, of so many records; null for nothing, and then what
   * was said before it counts from here on.
   */
  async judge(note: SignedNote, size: number): Promise<string | null> {
    await this.#begin(note, size);
    const signers = await this.#signers(note);
    // To the last byte: a signature that is not right has no place beside one that is.
    const all = signers.length === note.signatures.length;
    if (signers.length > 0 && all) {
      for (const key of this.#announced) this.#add(key, "the log");
      for (const keyId of this.#retired) this.#retire(keyId);
      for (const key of signers) this.#note(keyIdOf(key), size);
    }
    this.#announced = [];
    this.#retired = [];
    if (signers.length > 0)
      return all ? null : "has a signature that is not right or not by a key of the log";
    for (const key of this.#archived())
      if (await isSignedBy(note, key)) return "is not signed by a key that the log has announced";
    return "has no right signature by a key of the log";
  }

  /** Whose word counts from this checkpoint on. */
  async #begin(note: SignedNote, size: number): Promise<void> {
    for (const keyId of this.#awaited) {
      const key = this.#trusted.get(keyId);
      if (key === undefined || !(await isSignedBy(note, key))) continue;
      for (const [each, former] of this.#trusted) {
        if (this.#awaited.has(each)) continue;
        this.#trusted.delete(each);
        this.#former.set(each, former);
        this.#vouchedAt = size;
      }
      this.#awaited = new Set();
      return;
    }
    const late = this.#awaited.size === 0 && this.#name !== undefined;
    if (late || this.keys.some(({ trustedBy }) => trustedBy === "the log")) return;
    // Taken on trust, and said so.
    for (const key of this.#archived()) if (await isSignedBy(note, key)) this.#add(key, "the log");
  }

  #add(key: NoteKey, trustedBy: KeyOfLog["trustedBy"]): void {
    const keyId = keyIdOf(key);
    this.#trusted.set(keyId, key);
    if (!this.#keys.has(keyId))
      this.#keys.set(keyId, { keyId, trustedBy, from: null, to: null, retired: false });
  }

  #retire(keyId: string): void {
    this.#trusted.delete(keyId);
    this.#former.delete(keyId);
    const key = this.#keys.get(keyId);
    if (key !== undefined) this.#keys.set(keyId, { ...key, retired: true });
  }

  #note(keyId: string, size: number): void {
    const key = this.#keys.get(keyId);
    if (key !== undefined) this.#keys.set(keyId, { ...key, from: key.from ?? size, to: size });
  }

  /** Keys that rightly signed a note; none if not one of them was trusted before. */
  async #signers(note: SignedNote): Promise<NoteKey[]> {
    const candidates = new Map([...this.#former, ...this.#trusted]);
    for (const key of this.#announced) candidates.set(keyIdOf(key), key);
    const right: string[] = [];
    for (const [keyId, key] of candidates) if (await isSignedBy(note, key)) right.push(keyId);
    const counts = (keyId: string) => this.#trusted.has(keyId) && !this.#retired.includes(keyId);
    if (!right.some(counts)) return [];
    return right.flatMap((keyId) => candidates.get(keyId) ?? []);
  }
}
