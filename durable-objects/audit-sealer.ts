import { sha256 } from "../worker/core/bytes.ts";
import { KEPT } from "./audit-row.ts";
import type { OwnEvent } from "./audit-row.ts";
import { ArchiveAhead, ArchiveDiffers, SigningKeyDiffers } from "./audit-unsealed.ts";
import { checkpointText, readCheckpoint } from "../worker/core/sealed-log/checkpoint.ts";
import {
  checkpointName,
  HEAD,
  keyFile,
  keyName,
  segmentName,
  tileName,
} from "../worker/core/sealed-log/layout.ts";
import { leafText, NO_LEAF, recordHash } from "../worker/core/sealed-log/leaf.ts";
import { leafHash } from "../worker/core/sealed-log/merkle.ts";
import type { Hash } from "../worker/core/sealed-log/merkle.ts";
import { isSignedBy, keyIdOf, signNote, verifierKey } from "../worker/core/sealed-log/note.ts";
import type { NoteSigner } from "../worker/core/sealed-log/note.ts";
import { packSegment } from "../worker/core/sealed-log/segment.ts";
import { Border, packEntries, packHashes, TILE_WIDTH } from "../worker/core/sealed-log/tiles.ts";

/** A record that has its place in the log but is not sealed yet. */
export interface PendingRecord {
  sequence: number;
  eventId: string;
  type: string;
  /** Its canonical text. */
  body: string;
  /** Unix milliseconds until when its text is kept at least. */
  keepUntil: number;
}

/** How far the log is sealed. */
export interface SealState {
  origin: string;
  size: number;
  /** Hash of the last leaf. */
  chain: Hash;
  /** The tree's right border: hashes of the last tile of each level. */
  levels: Hash[][];
  /** Texts of the leaves in the last entries tile. */
  tail: string[];
  /** Ids of the signing keys whose public halves are in the archive. */
  keyIds: string[];
  /** The signed checkpoint over all of it. */
  checkpoint: string;
}

/** An object of the archive that is written once. */
export interface SealedObject {
  name: string;
  bytes: Uint8Array;
  /** Set for a partial tile: the name of the full one that makes it superfluous. */
  until?: string;
}

export interface Sealed {
  state: SealState;
  /** In the order in which they are written; the head follows them. */
  objects: SealedObject[];
  leaves: { sequence: number; recordHash: Hash; previous: Hash }[];
  segment: { first: number; last: number; name: string; keepUntil: number };
  /** Unix milliseconds at which it was sealed. */
  at: number;
}

/** A version of the signing key, as far as the log has announced it. */
export interface LoggedKey {
  version: number;
  keyId: string;
  /** Unix milliseconds. */
  announcedAt: number;
  /** The record that announces it. */
  sequence: number;
  retired: boolean;
}

/** The object's storage as sealing needs it. Each mutation is one transaction. */
export interface SealStorage {
  state(): SealState | null;
  /** How many records the log has taken. */
  records(): number;
  pending(after: number, count: number, chars: number): PendingRecord[];
  commit(sealed: Sealed): void;
  /** What is committed but perhaps not written yet, in order; the head is last. */
  staged(): SealedObject[];
  /** Forgets what is staged: all of it is written. */
  unstage(): void;
  keys(): LoggedKey[];
  /** Puts a record about a key into the log and notes it, together. */
  announce(key: Omit<LoggedKey, "sequence">, event: OwnEvent): void;
  retire(version: number, event: OwnEvent): void;
}

/** The archive. Nothing that was written once is ever replaced but the head. */
export interface SealArchive {
  /** Writes what is not there; `different`: other bytes stand there, and stay. */
  create: (name: string, bytes: Uint8Array) => Promise<"written" | "same" | "different">;
  replace: (name: string, bytes: Uint8Array) => Promise<void>;
  remove: (names: string[]) => Promise<void>;
  read: (name: string) => Promise<Uint8Array | null>;
}

export interface SealParts {
  origin: string;
  storage: SealStorage;
  archive: SealArchive;
  /** Signers by version, and the newest version. Throws where they are not configured. */
  signers: (
    origin: string,
  ) => Promise<{ current: number; byVersion: ReadonlyMap<number, NoteSigner> }>;
  now: () => number;
  /** Lets the object take other calls in. */
  pause?: () => Promise<unknown>;
}

/** How long checkpoints are signed by the old and the new key when a key is replaced. */
const OVERLAP_MS = 86_400_000;
/** Each batch costs a transaction and half a dozen objects besides its tiles: the more wait, the more go together. */
const LEAST_FULL_BATCH = TILE_WIDTH / 2;
const MAX_MORE_TILES = 3;
const MAX_BATCH_CHARS = 2_000_000;
/** So many records are hashed without a pause; in each of them others are taken in. */
const HASHED_AT_ONCE = 64;

/**
 * Seals what the log has taken: leaves, tiles and a signed checkpoint are made of the pending records and committed
 * with everything that has to be written, in one transaction. Only then is it written, the head last; after a crash at
 * any point the same bytes are written again (PLATFORM 9): this object is the lock, not the bucket.
 */
export class AuditSealer {
  readonly #parts: SealParts;
  #running: Promise<boolean> | null = null;
  #level = false;

  constructor(parts: SealParts) {
    this.#parts = parts;
  }

  /** Seals everything that the log has now. Rejects where something is left to do: call it again. */
  async run(): Promise<void> {
    const { storage } = this.#parts;
    // A batch that is under way may be older than the youngest record, and the first one may have announced a key.
    await this.batch();
    const records = storage.records();
    while ((storage.state()?.size ?? 0) < records) await this.batch();
  }

  /**
   * Seals one batch of what is pending, the oldest; true where it did not hold everything that was. Rejects where
   * something is left to do: call it again.
   */
  batch(): Promise<boolean> {
    this.#running ??= this.#batch().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #batch(): Promise<boolean> {
    const { storage, now } = this.#parts;
    await this.#compareHead();
    await this.#write();
    const state = storage.state();
    const size = state?.size ?? 0;
    if (storage.records() <= size) return false;
    const keys = await this.#keys(state?.origin ?? this.#parts.origin);
    const records = storage.records();
    const rows = together(storage.pending(size, fullBatch(size, records), MAX_BATCH_CHARS));
    const signers = this.#signersOf(keys, rows.at(-1)?.sequence ?? 0);
    const before = state ?? emptyState(this.#parts.origin);
    const sealed = await sealBatch(before, rows, signers, now(), this.#parts.pause);
    storage.commit(sealed);
    await this.#write();
    return records > sealed.state.size;
  }

  /**
   * Throws where the archive's head is of a later log than this object knows, or of another: then the object's storage
   * was put back to an earlier day, and what it sealed would be a second history under the same key. Once in a memory.
   */
  async #compareHead(): Promise<void> {
    if (this.#level) return;
    const { storage, archive, signers, origin } = this.#parts;
    const bytes = await archive.read(HEAD);
    const head = bytes === null ? null : readCheckpoint(new TextDecoder().decode(bytes));
    const state = storage.state();
    const size = state?.size ?? 0;
    const other = head?.checkpoint.size === size && head.note.body !== bodyOf(state?.checkpoint);
    if (head !== null && (head.checkpoint.size > size || other)) {
      // Anybody can write a head who can write into the bucket: what none of our keys signed is replaced by the next seal.
      for (const signer of (await signers(state?.origin ?? origin)).byVersion.values())
        if (await isSignedBy(head.note, signer)) throw new ArchiveAhead(head.checkpoint.size, size);
    }
    this.#level = true;
  }

  /** Writes what is staged. Safe to repeat: what is there already is compared, not replaced. */
  async #write(): Promise<void> {
    const { storage, archive } = this.#parts;
    const staged = storage.staged();
    if (staged.length === 0) return;
    for (const { name, bytes } of staged) {
      if (name === HEAD) await archive.replace(name, bytes);
      else if ((await archive.create(name, bytes)) === "different") throw new ArchiveDiffers(name);
    }
    storage.unstage();
  }

  /** The keys that are configured; a new one is announced in the log, and an old one's end. */
  async #keys(origin: string): Promise<Keys> {
    const { storage, signers, now } = this.#parts;
    const keys = await signers(origin);
    const at = now();
    const signer = keys.byVersion.get(keys.current);
    if (signer === undefined) throw new Error("The current signing key is not configured.");
    const known = storage.keys();
    checkKeys(known, keys);
    const newest = known.find(({ version }) => version === keys.current);
    if (newest === undefined) {
      const key = {
        version: keys.current,
        keyId: keyIdOf(signer),
        announcedAt: at,
        retired: false,
      };
      const data = {
        key_version: key.version,
        key_id: key.keyId,
        verifier_key: verifierKey(signer),
      };
      storage.announce(key, { type: "audit.key_added", at, data });
      return keys;
    }
    for (const { version, keyId, retired } of known) {
      if (version === keys.current || retired) continue;
      // Whoever vouches for the new key has to be there until its announcement is sealed, however late that is.
      const vouched = newest.sequence <= (storage.state()?.size ?? 0);
      const over = vouched && at >= newest.announcedAt + OVERLAP_MS;
      if (!over && keys.byVersion.has(version)) continue;
      const data = { key_version: version, key_id: keyId };
      storage.retire(version, { type: "audit.key_retired", at, data });
    }
    return keys;
  }

  /**
   * Whoever signs the checkpoint over the records up to this one: keys that these records have announced, the oldest
   * first. The first key of all also signs what came before its own announcement.
   */
  #signersOf({ byVersion, current }: Keys, last: number): NoteSigner[] {
    const known = this.#parts.storage.keys().toSorted((a, b) => a.sequence - b.sequence);
    const signing = known.filter(({ sequence }, at) => at === 0 || sequence <= last);
    const active = signing.filter(({ retired }) => !retired);
    const signers = (active.length > 0 ? active : signing).map(({ version }) =>
      byVersion.get(version),
    );
    const able = signers.filter((signer) => signer !== undefined);
    const newest = byVersion.get(current);
    // Without an announced key the log goes on all the same; a verifier has to be told of the new one.
    if (able.length === 0 && newest !== undefined) able.push(newest);
    return able;
  }
}

interface Keys {
  current: number;
  byVersion: ReadonlyMap<number, NoteSigner>;
}

/** Throws where a version is another key than the log was told of, or one that it was told counts no more. */
function checkKeys(known: readonly LoggedKey[], { byVersion, current }: Keys): void {
  for (const { version, keyId, retired } of known) {
    const signer = byVersion.get(version);
    if (signer === undefined || (retired && version !== current)) continue;
    if (retired || keyIdOf(signer) !== keyId) throw new SigningKeyDiffers(version, keyId, retired);
  }
}

function bodyOf(checkpoint = ""): string | undefined {
  return readCheckpoint(checkpoint)?.note.body;
}

/** What tells of keys and of retention is kept for ever, so it has segments of its own. */
function together(rows: PendingRecord[]): PendingRecord[] {
  const isKept = ({ type }: PendingRecord) => KEPT.test(type);
  const [first] = rows;
  if (first === undefined) return rows;
  const end = rows.findIndex((row) => isKept(row) !== isKept(first));
  return end < 0 ? rows : rows.slice(0, end);
}

/** A full batch ends where a tile does: then no partial tiles are written that the next batch replaces. */
function fullBatch(size: number, records: number): number {
  const rest = TILE_WIDTH - (size % TILE_WIDTH);
  const least = rest < LEAST_FULL_BATCH ? rest + TILE_WIDTH : rest;
  const more = Math.floor(Math.max(0, records - size - least) / TILE_WIDTH);
  return least + Math.min(more, MAX_MORE_TILES) * TILE_WIDTH;
}

function emptyState(origin: string): SealState {
  return {
    origin,
    size: 0,
    chain: NO_LEAF,
    levels: [],
    tail: [],
    keyIds: [],
    checkpoint: "",
  };
}

/** Everything that sealing these records makes, from the log's state and the records alone; no I/O. */
async function sealBatch(
  before: SealState,
  rows: readonly PendingRecord[],
  signers: readonly NoteSigner[],
  now: number,
  pause?: () => Promise<unknown>,
): Promise<Sealed> {
  const border = new Border(before.size, before.levels);
  const objects: SealedObject[] = [];
  const leaves: Sealed["leaves"] = [];
  let { chain, tail } = { chain: before.chain, tail: [...before.tail] };
  for (const [at, { sequence, eventId, body }] of rows.entries()) {
    if (at > 0 && at % HASHED_AT_ONCE === 0) await pause?.();
    if (sequence !== border.size + 1) throw new Error("The log's sequence has a gap.");
    const hash = recordHash(body);
    const text = leafText({ sequence, eventId, previous: chain, recordHash: hash });
    leaves.push({ sequence, recordHash: hash, previous: chain });
    chain = leafHash(utf8.encode(text));
    tail.push(text);
    const full = border.push(chain);
    for (const { tile, hashes } of full)
      objects.push({ name: tileName(tile), bytes: packHashes(hashes) });
    if (tail.length < TILE_WIDTH) continue;
    objects.push(entriesObject(border.size / TILE_WIDTH - 1, tail));
    tail = [];
  }
  for (const { tile, hashes } of border.partial()) {
    const until = tileName({ ...tile, width: TILE_WIDTH });
    objects.push({ name: tileName(tile), bytes: packHashes(hashes), until });
  }
  if (tail.length > 0) objects.push(entriesObject(Math.floor(border.size / TILE_WIDTH), tail));
  const [first, last] = [before.size + 1, border.size];
  const name = segmentName({ first, last });
  const packed = await packSegment(rows.map(({ body }) => body));
  const body = checkpointText({
    origin: before.origin,
    size: border.size,
    root: border.root(),
    at: now,
    chain,
    segment: { first, last, hash: sha256(packed) },
  });
  const checkpoint = await signNote(body, signers);
  const newKeys = signers.filter((signer) => !before.keyIds.includes(keyIdOf(signer)));
  const keys = newKeys.map((signer) => ({
    name: keyName(keyIdOf(signer)),
    bytes: utf8.encode(keyFile(signer)),
  }));
  const seal = { name: checkpointName(border.size), bytes: utf8.encode(checkpoint) };
  return {
    state: {
      origin: before.origin,
      size: border.size,
      chain,
      levels: border.levels,
      tail,
      keyIds: [...before.keyIds, ...newKeys.map(keyIdOf)],
      checkpoint,
    },
    objects: [...keys, { name, bytes: packed }, ...objects, seal],
    leaves,
    segment: { first, last, name, keepUntil: Math.max(...rows.map((row) => row.keepUntil)) },
    at: now,
  };
}

function entriesObject(index: number, tail: readonly string[]): SealedObject {
  const tile = { level: "entries", index, width: tail.length } as const;
  const bytes = packEntries(tail.map((leaf) => utf8.encode(leaf)));
  if (tail.length === TILE_WIDTH) return { name: tileName(tile), bytes };
  return { name: tileName(tile), bytes, until: tileName({ ...tile, width: TILE_WIDTH }) };
}

const utf8 = new TextEncoder();
