import { sha256, toBase64, toHex } from "../bytes.ts";
import { readCheckpoint, wrongHead } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { isJsonObject } from "../json.ts";
import type { JsonObject } from "../json.ts";
import { checkpointName, HEAD, keyName, policyName, readKeyFile } from "./layout.ts";
import { segmentName, tileName } from "./layout.ts";
import { Inventory } from "./inventory.ts";
import { differences } from "./differences.ts";
import { leafText, NO_LEAF, readLeaf, recordHash, recordIn } from "./leaf.ts";
import { leafHash, sameBytes } from "./merkle.ts";
import type { Hash } from "./merkle.ts";
import { isSignedBy, keyIdOf } from "./note.ts";
import { checkCosignatures } from "./verify-cosignatures.ts";
import type { NoteKey, SignedNote } from "./note.ts";
import { limitsOf } from "./report.ts";
import type { Fault, LogObjects, Report, VerifyOptions } from "./report.ts";
import { segmentLines } from "./segment.ts";
import { stretches } from "./stretches.ts";
import type { Range, Stretch } from "./stretches.ts";
import { Trust } from "./trust.ts";
import { Border, packEntries, packHashes, TILE_WIDTH, tilesOf } from "./tiles.ts";
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
  const faults: Fault[] = [];
  const fault = (object: string, says: string, sequence?: number) => {
    // Told once, however often it is met.
    const known = faults.some(
      (each) => each.object === object && each.says === says && each.sequence === sequence,
    );
    if (faults.length >= MAX_FAULTS || known) return;
    faults.push({ object, says, ...(sequence !== undefined && { sequence }) });
  };
  const inventory = await Inventory.read(objects, fault);
  return new Verification(inventory, options, faults, fault).run();
}

type TellFault = (object: string, says: string, sequence?: number) => void;

class Verification {
  readonly #objects: Inventory;
  readonly #options: VerifyOptions;
  readonly #faults: readonly Fault[];
  readonly #fault: TellFault;
  readonly #keys = new Map<string, NoteKey>();
  readonly #checkpoints = new Map<number, Signed>();
  readonly #trust: Trust;
  readonly #border = new Border();
  #chain: Hash = NO_LEAF;
  #tail: Uint8Array[] = [];
  #records = 0;
  readonly #missing: Stretch[] = [];
  readonly #dropped: Range[] = [];
  readonly #policies = new Set<string>();
  readonly #judged = new Set<number>();
  readonly #checked = new Set<string>();
  #origin: string | null = null;
  #rootsHold = true;

  constructor(
    objects: Inventory,
    options: VerifyOptions,
    faults: readonly Fault[],
    fault: TellFault,
  ) {
    this.#objects = objects;
    this.#options = options;
    this.#faults = faults;
    this.#fault = fault;
    this.#trust = new Trust(options.trusted ?? [], () => this.#logKeys());
  }

  async run(): Promise<Report> {
    await this.#readKeys();
    await this.#readCheckpoints();
    const { since } = this.#options;
    const parts = await this.#stretches();
    const total = parts.at(-1)?.last ?? 0;
    for (const part of parts) {
      if (!(await this.#stretch(part, since))) break;
      this.#options.progress?.(this.#border.size, total);
    }
    for (const [size, signed] of this.#checkpoints) {
      if (this.#judged.has(size)) continue;
      this.#fault(
        signed.name,
        size > this.#border.size
          ? `can't be checked: the log can't be rebuilt beyond record ${this.#border.size}`
          : "is not signed by a key of the log, and ends where no segment does",
      );
    }
    this.#checkMissing();
    const head = await this.#checkHead();
    if (this.#trust.awaits) this.#fault(HEAD, "is not signed by your key, nor is any before it");
    this.#checkTiles(head?.checkpoint.size ?? 0);
    await this.#checkOthers();
    const witnesses = await checkCosignatures({
      cosignatures: this.#objects.of("cosignature").map(({ name, what }) => ({ name, ...what })),
      given: this.#options.witnesses ?? [],
      keys: this.#keys,
      bodyOf: (size) => this.#checkpoints.get(size)?.note.body,
      text: (name) => this.#objects.text(name),
      fault: this.#fault,
    });
    if (since !== undefined && since.size > this.#border.size)
      this.#fault(
        HEAD,
        `belongs to a log that ends at record ${this.#border.size}, before the checkpoint of ${since.size} records that you keep: it was cut off`,
      );
    const expired = this.#missing.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    return {
      origin: this.#origin,
      size: head?.checkpoint.size ?? 0,
      head: head?.text ?? null,
      root: head === null ? null : toBase64(head.checkpoint.root),
      at: head?.checkpoint.at ?? null,
      checkpoints: this.#checkpoints.size,
      records: this.#records,
      expired,
      keys: this.#trust.keys,
      witnesses,
      faults: [...this.#faults],
      limits: limitsOf(this.#trust, witnesses, since !== undefined),
    };
  }

  async #readKeys(): Promise<void> {
    for (const { name, what } of this.#objects.of("key")) {
      const key = readKeyFile(await this.#objects.text(name));
      if (key !== null && keyIdOf(key) === what.keyId) this.#keys.set(what.keyId, key);
      else this.#fault(name, "is not the public key that its name says");
    }
  }

  async #readCheckpoints(): Promise<void> {
    for (const { name, what } of this.#objects.of("checkpoint")) {
      const text = await this.#objects.text(name);
      const read = readCheckpoint(text);
      if (read === null) this.#fault(name, "is not a well-formed checkpoint");
      else if (read.checkpoint.size !== what.size || read.checkpoint.segment.last !== what.size)
        this.#fault(name, "is of another size than its name says");
      else this.#checkpoints.set(what.size, { name, text, ...read });
    }
    this.#origin = this.#trust.name ?? this.#commonOrigin();
    for (const { name, checkpoint } of this.#checkpoints.values()) {
      if (checkpoint.origin !== this.#origin)
        this.#fault(name, `is of another log: ${checkpoint.origin}`);
    }
    for (const [keyId, key] of this.#keys)
      if (key.kind === "log" && key.name !== this.#origin)
        this.#fault(keyName(keyId), `is a key of another log: ${key.name}`);
  }

  /** What most of the checkpoints and keys say that they are of. */
  #commonOrigin(): string | null {
    const counts = new Map<string, number>();
    const said = [...this.#checkpoints.values()].map(({ checkpoint }) => checkpoint.origin);
    for (const origin of [...said, ...[...this.#logKeys()].map(({ name }) => name)])
      counts.set(origin, (counts.get(origin) ?? 0) + 1);
    return [...counts].toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? null;
  }

  /** The log from end to end, by its segments and by those checkpoints that some key of the log did sign. */
  async #stretches(): Promise<Stretch[]> {
    const signed: number[] = [];
    const keys = this.#logKeys();
    for (const [size, { note }] of this.#checkpoints)
      for (const key of keys) if (await isSignedBy(note, key)) signed.push(size);
    const sizes = signed.length > 0 ? new Set(signed) : this.#checkpoints.keys();
    const segments = this.#objects
      .of("segment")
      .map(({ what: { first, last } }) => ({ first, last }));
    const { stretches: parts, strange } = stretches(segments, [...sizes]);
    for (const range of strange)
      this.#fault(segmentName(range), "has no place in the log: other segments hold its records");
    return parts;
  }

  /** Works off one segment, or what is missing of one; false where the log can't be rebuilt any further. */
  async #stretch(part: Stretch, since: Checkpoint | undefined): Promise<boolean> {
    const name = segmentName(part);
    const signed = this.#checkpoints.get(part.last);
    const ref = signed?.checkpoint.segment;
    if (part.kept && signed === undefined && !this.#objects.has(checkpointName(part.last)))
      this.#fault(checkpointName(part.last), `is missing: nothing seals ${name}`);
    const bytes = part.kept ? await this.#objects.bytes(name) : null;
    const sound = bytes !== null && ref?.first === part.first && sameBytes(sha256(bytes), ref.hash);
    const count = part.last - part.first + 1;
    const lines = bytes === null ? null : await segmentLines(bytes).catch(() => null);
    if (bytes === null) this.#missing.push(part);
    else if (lines === null) this.#fault(name, "can't be unpacked");
    else {
      this.#records += lines.length;
      if (lines.length !== count)
        this.#fault(name, `holds ${lines.length} records in place of ${count}`);
      if (!sound || lines.length !== count)
        await this.#compareLines(part, lines, ref !== undefined);
    }
    const whole = lines?.length === count ? lines : [];
    for (let sequence = part.first; sequence <= part.last; sequence++) {
      const line = whole[sequence - part.first] ?? null;
      if (!(await this.#record(sequence, name, line, sound))) return false;
      if (since?.size === sequence) this.#checkSince(since);
    }
    if (signed !== undefined) await this.#checkpoint(signed);
    return true;
  }

  /** Says what is wrong with a segment that is not the one that was sealed, record by record where leaves tell. */
  async #compareLines(part: Range, lines: string[], sealed: boolean): Promise<void> {
    const name = segmentName(part);
    const leaves: (ReturnType<typeof readLeaf> | null)[] = [];
    for (let sequence = part.first; sequence <= part.last; sequence++) {
      const entry = await this.#objects.leaf(sequence);
      leaves.push(entry && readLeaf(entry.bytes));
    }
    const found = differences(part.first, lines, leaves);
    const known = leaves.every((leaf) => leaf !== null);
    if (sealed)
      this.#fault(
        name,
        found.length === 0 && known
          ? "is not the object that was sealed, though its records are"
          : "is not the object that was sealed",
      );
    for (const { says, sequence } of found) this.#fault(name, says, sequence);
  }

  /** Brings one record's leaf into the tree; false where there is neither record nor leaf. */
  async #record(sequence: number, segment: string, line: string | null, sound: boolean) {
    const kept = await this.#objects.leaf(sequence);
    const read = kept && readLeaf(kept.bytes);
    const record = line === null ? null : recordIn(line);
    if (sound && record === null)
      this.#fault(segment, "is not a record in canonical form", sequence);
    const made =
      record &&
      utf8.encode(
        leafText({
          sequence,
          eventId: record.eventId,
          previous: this.#chain,
          recordHash: recordHash(record.text),
        }),
      );
    let leaf = kept?.bytes ?? made;
    if (sound && made !== null) {
      leaf = made;
      if (kept && !sameBytes(kept.bytes, made))
        this.#fault(kept.name, "is not the leaf of its record", sequence);
    } else if (kept && !read) this.#fault(kept.name, "is not a well-formed leaf", sequence);
    else if (read && (read.sequence !== sequence || !sameBytes(read.previous, this.#chain)))
      this.#fault(kept?.name ?? segment, "does not follow on the leaf before it", sequence);
    if (leaf === null) {
      this.#fault(segment, "neither its record nor its leaf is there", sequence);
      return false;
    }
    // What a record says counts where it is the one that was sealed, as far as that can be known.
    const genuine =
      sound || !read || (line !== null && sameBytes(recordHash(line), read.recordHash));
    if (record !== null && genuine) this.#notice(record.value, sequence);
    await this.#push(leaf);
    return true;
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
    if (!this.#objects.has(name)) return;
    const bytes = await this.#objects.bytes(name);
    this.#checked.add(name);
    if (bytes === null || !sameBytes(bytes, expected()))
      this.#fault(name, "is not what the records give");
  }

  /** What a record says about keys and retention, and the policies that it was decided by. */
  #notice(record: JsonObject, sequence: number): void {
    const { event_type: type, first_sequence: first, last_sequence: last, policy } = record;
    for (const part of Array.isArray(policy) ? policy : []) {
      const hash = isJsonObject(part) && typeof part["hash"] === "string" ? part["hash"] : null;
      const name = hash === null ? HEAD : policyName(hash.replace("sha256:", ""));
      if (this.#objects.has(name) || this.#policies.has(name)) continue;
      this.#policies.add(name);
      this.#fault(name, `is missing, though record ${sequence} was decided by it`);
    }
    const key = this.#trust.notice(record);
    if (key !== null && !this.#objects.has(keyName(keyIdOf(key))))
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
    this.#judged.add(size);
    const wrong = await this.#trust.judge(note, size);
    if (wrong !== null) this.#fault(name, wrong);
  }

  #checkSince(since: Checkpoint): void {
    if (since.origin === this.#origin && sameBytes(since.root, this.#border.root())) return;
    if (since.origin !== this.#origin)
      this.#fault("--since", `is a checkpoint of another log: ${since.origin}`);
    else
      this.#fault(
        checkpointName(since.size),
        `the first ${since.size} records are not those of the checkpoint that you keep`,
      );
  }

  #checkMissing(): void {
    for (const range of this.#missing) {
      const sealed = this.#checkpoints.get(range.last)?.checkpoint.segment.first === range.first;
      const told = this.#dropped.some(
        ({ first, last }) => first <= range.first && range.last <= last,
      );
      if (told) continue;
      if (sealed) this.#fault(segmentName(range), "is missing, and no retention is on record");
      else
        this.#fault(
          "audit/segments",
          `holds nothing of records ${range.first} to ${range.last}, and what sealed them is missing too`,
        );
    }
  }

  async #checkHead(): Promise<Signed | null> {
    const newest = [...this.#checkpoints.values()].toSorted(
      (a, b) => b.checkpoint.size - a.checkpoint.size,
    )[0];
    const text = this.#objects.has(HEAD) ? await this.#objects.text(HEAD) : null;
    const wrong = wrongHead(text, newest);
    if (wrong !== null) this.#fault(HEAD, wrong);
    if (newest !== undefined && this.#border.size > newest.checkpoint.size)
      this.#fault(
        segmentName({ first: newest.checkpoint.size + 1, last: this.#border.size }),
        "holds records that no checkpoint covers",
      );
    return newest ?? null;
  }

  /** Every tile that a log of this size has must be there, and no tile that it has not. */
  #checkTiles(size: number): void {
    // What lies beyond a hole can't be told from what does not belong.
    if (this.#border.size >= size)
      for (const { name } of this.#objects.of("tile"))
        if (!this.#checked.has(name)) this.#fault(name, "does not belong to a log of this size");
    for (const tile of tilesOf(size))
      if (!this.#objects.has(tileName(tile))) this.#fault(tileName(tile), "is missing");
  }

  /** Objects that stand beside the tree: archived policies. */
  async #checkOthers(): Promise<void> {
    for (const { name, what } of this.#objects.of("policy")) {
      const bytes = await this.#objects.bytes(name);
      const hash = bytes === null ? "" : toHex(sha256(bytes));
      if (what.hash !== hash) this.#fault(name, "is not the policy that its name says");
    }
  }

  #logKeys(): NoteKey[] {
    return [...this.#keys.values()].filter(({ kind }) => kind === "log");
  }
}

const utf8 = new TextEncoder();
