import { sha256, toHex } from "../bytes.ts";
import { readCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { JsonObject } from "../json.ts";
import {
  checkpointName,
  HEAD,
  keyFile,
  keyName,
  kindOf,
  readKeyFile,
  segmentName,
  tileName,
} from "./layout.ts";
import { leafText, NO_LEAF, readLeaf, recordHash, recordIn } from "./leaf.ts";
import type { Leaf } from "./leaf.ts";
import { leafHash, sameBytes } from "./merkle.ts";
import type { Hash } from "./merkle.ts";
import { keyIdOf } from "./note.ts";
import { checkCosignatures } from "./verify-cosignatures.ts";
import type { NoteKey, SignedNote } from "./note.ts";
import { limitsOf } from "./report.ts";
import type { Fault, LogObjects, Report, VerifyOptions } from "./report.ts";
import { segmentLines } from "./segment.ts";
import { Trust } from "./trust.ts";
import { Border, packEntries, packHashes, TILE_WIDTH, tilesOf, unpackEntries } from "./tiles.ts";
import type { Tile } from "./tiles.ts";

interface Signed {
  name: string;
  text: string;
  checkpoint: Checkpoint;
  note: SignedNote;
}

const MAX_FAULTS = 1_000;

/**
 * Rebuilds a log from its records: chain, tree, every tile, every checkpoint, every signature, every object byte by
 * byte. Never throws for what it finds; a reader that fails rejects.
 */
export async function verifyLog(objects: LogObjects, options: VerifyOptions = {}): Promise<Report> {
  const run = new Verification(objects, options);
  return run.run();
}

class Verification {
  readonly #objects: LogObjects;
  readonly #options: VerifyOptions;
  readonly #faults: Fault[] = [];
  readonly #names = new Set<string>();
  readonly #keys = new Map<string, NoteKey>();
  readonly #checkpoints = new Map<number, Signed>();
  readonly #trust: Trust;
  /** Of each entries tile the widest object that there is. */
  readonly #entriesWidths = new Map<number, number>();
  readonly #border = new Border();
  #chain: Hash = NO_LEAF;
  #tail: Uint8Array[] = [];
  #records = 0;
  readonly #missing: { first: number; last: number }[] = [];
  readonly #dropped: { first: number; last: number }[] = [];
  #origin: string | null = null;
  #rootsHold = true;
  #entries: { index: number; name: string; leaves: Uint8Array[] } | null = null;

  constructor(objects: LogObjects, options: VerifyOptions) {
    this.#objects = objects;
    this.#options = options;
    this.#trust = new Trust(options.trusted ?? [], () => this.#logKeys());
  }

  async run(): Promise<Report> {
    for (const name of (await this.#objects.names()).toSorted()) {
      if (kindOf(name) === null) this.#fault(name, "does not belong to the log");
      else this.#names.add(name);
    }
    for (const { what } of this.#of("tile")) {
      const { level, index, width } = what.tile;
      if (level !== "entries") continue;
      this.#entriesWidths.set(index, Math.max(width, this.#entriesWidths.get(index) ?? 0));
    }
    await this.#readKeys();
    await this.#readCheckpoints();
    const since = this.#readSince();
    const ranges = this.#ranges();
    const total = ranges.at(-1)?.last ?? 0;
    for (const range of ranges) {
      if (range.first !== this.#border.size + 1) {
        this.#fault(segmentName(range), `follows on record ${this.#border.size}, which has a gap`);
        break;
      }
      if (!(await this.#segment(range, since))) break;
      this.#options.progress?.(this.#border.size, total);
    }
    this.#checkMissing();
    const head = await this.#checkHead();
    this.#checkTiles(head?.checkpoint.size ?? 0);
    await this.#checkOthers();
    const witnesses = await checkCosignatures({
      cosignatures: this.#of("cosignature").map(({ name, what }) => ({ name, ...what })),
      given: this.#options.witnesses ?? [],
      keys: this.#keys,
      bodyOf: (size) => this.#checkpoints.get(size)?.note.body,
      text: (name) => this.#text(name),
      fault: (object, says) => this.#fault(object, says),
    });
    if (since !== null && since.size > this.#border.size)
      this.#fault(
        HEAD,
        `the log ends at record ${this.#border.size}, before the checkpoint of ${since.size} that you keep`,
      );
    const expired = this.#dropped.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    return {
      origin: this.#origin,
      size: head?.checkpoint.size ?? 0,
      head: head?.text ?? null,
      checkpoints: this.#checkpoints.size,
      records: this.#records,
      expired,
      keys: this.#trust.keys,
      witnesses,
      faults: this.#faults,
      limits: limitsOf({ keys: this.#trust.keys, witnesses }, since !== null),
    };
  }

  async #readKeys(): Promise<void> {
    for (const { name, what } of this.#of("key")) {
      const text = await this.#text(name);
      const key = readKeyFile(text);
      const right = key !== null && keyIdOf(key) === what.keyId && keyFile(key) === text;
      if (right) this.#keys.set(what.keyId, key);
      else this.#fault(name, "is not the public key that its name says");
    }
  }

  async #readCheckpoints(): Promise<void> {
    for (const { name, what } of this.#of("checkpoint")) {
      const text = await this.#text(name);
      const read = readCheckpoint(text);
      if (read === null) this.#fault(name, "is not a well-formed checkpoint");
      else if (read.checkpoint.size !== what.size || read.checkpoint.segment.last !== what.size)
        this.#fault(name, "is of another size than its name says");
      else this.#checkpoints.set(what.size, { name, text, ...read });
    }
    const origins = [...this.#checkpoints.values()].map(({ checkpoint }) => checkpoint.origin);
    const [archived] = this.#logKeys();
    this.#origin = this.#trust.name ?? archived?.name ?? origins[0] ?? null;
    for (const { name, checkpoint } of this.#checkpoints.values()) {
      if (checkpoint.origin !== this.#origin)
        this.#fault(name, `is of another log: ${checkpoint.origin}`);
    }
  }

  #readSince(): Checkpoint | null {
    const { since } = this.#options;
    if (since === undefined) return null;
    const read = readCheckpoint(since);
    if (read === null) this.#fault("--since", "is not a well-formed checkpoint");
    return read?.checkpoint ?? null;
  }

  /** The ranges of segments by their names, or from checkpoint to checkpoint; what one says of its own is unproved yet. */
  #ranges(): { first: number; last: number }[] {
    const ranges = this.#of("segment").map(({ what: { first, last } }) => ({ first, last }));
    const kept = new Set(ranges.map(({ last }) => last));
    let first = 1;
    for (const last of [...this.#checkpoints.keys()].toSorted((a, b) => a - b)) {
      if (!kept.has(last)) ranges.push({ first, last });
      first = last + 1;
    }
    return ranges.toSorted((a, b) => a.first - b.first);
  }

  /** Works off one segment; false where the log can't be rebuilt any further. */
  async #segment(range: { first: number; last: number }, since: Checkpoint | null) {
    const name = segmentName(range);
    const signed = this.#checkpoints.get(range.last);
    const ref = signed?.checkpoint.segment;
    if (signed === undefined && !this.#names.has(checkpointName(range.last)))
      this.#fault(checkpointName(range.last), `is missing: nothing seals ${name}`);
    const bytes = this.#names.has(name) ? await this.#objects.get(name) : null;
    const sound =
      bytes !== null && ref?.first === range.first && sameBytes(sha256(bytes), ref.hash);
    let lines: string[] | null = null;
    if (bytes === null) this.#missing.push(range);
    else {
      if (ref !== undefined && !sound) this.#fault(name, "is not the object that was sealed");
      lines = await segmentLines(bytes).catch(() => null);
      if (lines === null) this.#fault(name, "can't be unpacked");
      else if (lines.length !== range.last - range.first + 1)
        this.#fault(
          name,
          `holds ${lines.length} records in place of ${range.last - range.first + 1}`,
        );
    }
    for (let sequence = range.first; sequence <= range.last; sequence++) {
      const line = lines?.[sequence - range.first] ?? null;
      if (!(await this.#record(sequence, name, line, sound))) return false;
      if (since?.size === sequence) this.#checkSince(since);
    }
    if (signed !== undefined) await this.#checkpoint(signed);
    return true;
  }

  /** Brings one record's leaf into the tree; false where there is neither record nor leaf. */
  async #record(sequence: number, segment: string, line: string | null, sound: boolean) {
    const kept = await this.#entry(sequence);
    const record = line === null ? null : recordIn(line);
    const made: Leaf | null = record && {
      sequence,
      eventId: record.eventId,
      previous: this.#chain,
      recordHash: recordHash(record.text),
    };
    const madeBytes = made && utf8.encode(leafText(made));
    if (line !== null) this.#records += 1;
    let leaf: Uint8Array | null;
    if (sound && madeBytes !== null) {
      leaf = madeBytes;
      if (kept && !sameBytes(kept.bytes, madeBytes))
        this.#fault(kept.name, "is not the leaf of its record", sequence);
    } else {
      leaf = kept?.bytes ?? madeBytes;
      const read = kept && readLeaf(kept.bytes);
      if (kept && !read) this.#fault(kept.name, "is not a well-formed leaf", sequence);
      if (read && (read.sequence !== sequence || !sameBytes(read.previous, this.#chain)))
        this.#fault(kept.name, "does not follow on the leaf before it", sequence);
      const hash = line === null ? null : recordHash(line);
      if (read && hash !== null && !sameBytes(hash, read.recordHash))
        this.#fault(segment, `is not the record that was sealed (${read.eventId})`, sequence);
    }
    if (line !== null && record === null)
      this.#fault(segment, "is not a record in canonical form", sequence);
    if (leaf === null) {
      this.#fault(segment, "neither its record nor its leaf is there", sequence);
      return false;
    }
    if (record !== null) this.#notice(record.value);
    await this.#push(leaf);
    return true;
  }

  /** The bytes of a leaf as the entries tiles keep it. */
  async #entry(sequence: number): Promise<{ name: string; bytes: Uint8Array } | null> {
    const index = Math.floor((sequence - 1) / TILE_WIDTH);
    if (this.#entries?.index !== index) {
      const width = this.#entriesWidths.get(index) ?? 0;
      const name = tileName({ level: "entries", index, width });
      const bytes = width === 0 ? null : await this.#objects.get(name);
      const leaves = bytes && unpackEntries(bytes);
      if (bytes && !leaves) this.#fault(name, "is not a row of leaves");
      this.#entries = { index, name, leaves: leaves ?? [] };
    }
    const bytes = this.#entries.leaves[(sequence - 1) % TILE_WIDTH];
    return bytes === undefined ? null : { name: this.#entries.name, bytes };
  }

  async #push(leaf: Uint8Array): Promise<void> {
    this.#chain = leafHash(leaf);
    this.#tail.push(leaf);
    const full = this.#border.push(this.#chain);
    const index = Math.floor((this.#border.size - 1) / TILE_WIDTH);
    const entries: Tile = { level: "entries", index, width: this.#tail.length };
    await this.#compare(entries, () => packEntries(this.#tail));
    if (this.#tail.length === TILE_WIDTH) this.#tail = [];
    for (const { tile, hashes } of full) await this.#compare(tile, () => packHashes(hashes));
    for (const { tile, hashes } of this.#border.partial()) {
      // Higher levels only change with a full tile beneath them.
      if (tile.level !== 0 && full.length === 0) break;
      await this.#compare(tile, () => packHashes(hashes));
    }
  }

  async #compare(tile: Tile, expected: () => Uint8Array): Promise<void> {
    const name = tileName(tile);
    if (!this.#names.has(name)) return;
    const bytes = await this.#objects.get(name);
    this.#checked.add(name);
    if (bytes === null || !sameBytes(bytes, expected()))
      this.#fault(name, "is not what the records give");
  }

  readonly #checked = new Set<string>();

  /** What a record says about keys and retention. */
  #notice(record: JsonObject): void {
    const { event_type: type, first_sequence: first, last_sequence: last } = record;
    const key = this.#trust.notice(record);
    if (key !== null && !this.#names.has(keyName(keyIdOf(key))))
      this.#fault(keyName(keyIdOf(key)), "is missing, though the log announces this key");
    if (type === "audit.retention_applied" && typeof first === "number" && typeof last === "number")
      this.#dropped.push({ first, last });
  }

  async #checkpoint({ name, checkpoint, note }: Signed): Promise<void> {
    const { size, root, chain } = checkpoint;
    if (this.#rootsHold && size === this.#border.size) {
      this.#rootsHold = sameBytes(root, this.#border.root()) && sameBytes(chain, this.#chain);
      if (!this.#rootsHold) this.#fault(name, "signs another tree than the records give");
    }
    const signed = await this.#trust.judge(note);
    if (signed === "by nobody")
      this.#fault(name, "is not signed by a key that the log has announced");
    if (signed === "not all right")
      this.#fault(name, "has a signature that is not right or not by a key of the log");
  }

  #checkSince(since: Checkpoint): void {
    if (since.origin !== this.#origin || !sameBytes(since.root, this.#border.root()))
      this.#fault(
        checkpointName(since.size),
        `the first ${since.size} records are not those of the checkpoint that you keep`,
      );
  }

  #checkMissing(): void {
    for (const range of this.#missing) {
      const told = this.#dropped.some(
        ({ first, last }) => first <= range.first && range.last <= last,
      );
      if (!told) this.#fault(segmentName(range), "is missing, and no retention is on record");
    }
  }

  async #checkHead(): Promise<Signed | null> {
    const newest = [...this.#checkpoints.values()].toSorted(
      (a, b) => b.checkpoint.size - a.checkpoint.size,
    )[0];
    const text = this.#names.has(HEAD) ? await this.#text(HEAD) : null;
    if (text === null) this.#fault(HEAD, "is missing");
    else if (newest === undefined) this.#fault(HEAD, "has no checkpoint that it repeats");
    else if (text !== newest.text) {
      const read = readCheckpoint(text);
      const older = read !== null && read.checkpoint.size < newest.checkpoint.size;
      this.#fault(
        HEAD,
        older
          ? `is older than ${newest.name}: the log was at ${read.checkpoint.size} records`
          : `is not ${newest.name}`,
      );
    }
    if (newest !== undefined && this.#border.size > newest.checkpoint.size)
      this.#fault(
        segmentName({ first: newest.checkpoint.size + 1, last: this.#border.size }),
        "holds records that no checkpoint covers",
      );
    return newest ?? null;
  }

  /** Every tile that a log of this size has must be there, and no tile that it has not. */
  #checkTiles(size: number): void {
    for (const { name } of this.#of("tile"))
      if (!this.#checked.has(name)) this.#fault(name, "does not belong to a log of this size");
    for (const tile of tilesOf(size))
      if (!this.#names.has(tileName(tile))) this.#fault(tileName(tile), "is missing");
  }

  /** Objects that stand beside the tree: archived policies. */
  async #checkOthers(): Promise<void> {
    for (const { name, what } of this.#of("policy")) {
      const bytes = await this.#objects.get(name);
      const hash = bytes === null ? "" : toHex(sha256(bytes));
      if (what.hash.replace(/^sha256:/, "") !== hash)
        this.#fault(name, "is not the policy that its name says");
    }
  }

  #logKeys(): NoteKey[] {
    return [...this.#keys.values()].filter(({ kind }) => kind === "log");
  }

  /** Names of one kind, with what they say. */
  #of<K extends NonNullable<ReturnType<typeof kindOf>>["kind"]>(kind: K) {
    const found = [...this.#names].map((name) => ({ name, what: kindOf(name) }));
    return found.filter(({ what }) => what?.kind === kind) as {
      name: string;
      what: Extract<NonNullable<ReturnType<typeof kindOf>>, { kind: K }>;
    }[];
  }

  async #text(name: string): Promise<string> {
    const bytes = (await this.#objects.get(name)) ?? new Uint8Array();
    const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
    // Bytes that are no UTF-8 must not read as if they were.
    return sameBytes(utf8.encode(text), bytes) ? text : "";
  }

  #fault(object: string, says: string, sequence?: number): void {
    if (this.#faults.length >= MAX_FAULTS) return;
    this.#faults.push({ object, says, ...(sequence !== undefined && { sequence }) });
  }
}

const utf8 = new TextEncoder();
