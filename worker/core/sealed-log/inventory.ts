import { kindOf, tileName } from "./layout.ts";
import type { ObjectKind } from "./layout.ts";
import { sameBytes } from "./merkle.ts";
import type { LogObjects } from "./report.ts";
import { TILE_WIDTH, unpackEntries } from "./tiles.ts";

/** An object of one kind, with what its name says. */
export interface Named<K extends ObjectKind["kind"]> {
  name: string;
  what: Extract<ObjectKind, { kind: K }>;
}

/** The objects of a log that is looked at, by what their names say that they are. */
export class Inventory {
  readonly #get: LogObjects["get"];
  readonly #kinds = new Map<string, ObjectKind>();
  /** Of each entries tile the widest object that there is. */
  readonly #widths = new Map<number, number>();
  #row: { index: number; name: string; leaves: Uint8Array[] } | null = null;
  readonly #fault: (object: string, says: string) => void;

  private constructor(get: LogObjects["get"], fault: (object: string, says: string) => void) {
    this.#get = get;
    this.#fault = fault;
  }

  /** `fault` is told of what belongs to no log. */
  static async read(
    { names, get }: LogObjects,
    fault: (object: string, says: string) => void,
  ): Promise<Inventory> {
    const made = new Inventory(get, fault);
    for (const name of (await names()).toSorted()) {
      const kind = kindOf(name);
      if (kind === null) fault(name, "does not belong to the log");
      else made.#add(name, kind);
    }
    return made;
  }

  #add(name: string, what: ObjectKind): void {
    this.#kinds.set(name, what);
    if (what.kind !== "tile" || what.tile.level !== "entries") return;
    const { index, width } = what.tile;
    this.#widths.set(index, Math.max(width, this.#widths.get(index) ?? 0));
  }

  has(name: string): boolean {
    return this.#kinds.has(name);
  }

  async bytes(name: string): Promise<Uint8Array | null> {
    return this.has(name) ? this.#get(name) : null;
  }

  /** Its text; empty for bytes that are no UTF-8, so that they don't read as if they were. */
  async text(name: string): Promise<string> {
    const bytes = (await this.bytes(name)) ?? new Uint8Array();
    const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
    return sameBytes(new TextEncoder().encode(text), bytes) ? text : "";
  }

  /** Every object of a kind. */
  of<K extends ObjectKind["kind"]>(kind: K): Named<K>[] {
    const found = [...this.#kinds].map(([name, what]) => ({ name, what }));
    return found.filter(({ what }) => what.kind === kind) as Named<K>[];
  }

  /** The bytes of a leaf as the entries tiles keep it. */
  async leaf(sequence: number): Promise<{ name: string; bytes: Uint8Array } | null> {
    const index = Math.floor((sequence - 1) / TILE_WIDTH);
    if (this.#row?.index !== index) {
      const width = this.#widths.get(index) ?? 0;
      const name = tileName({ level: "entries", index, width });
      const bytes = width === 0 ? null : await this.bytes(name);
      const leaves = bytes && unpackEntries(bytes);
      if (bytes && !leaves) this.#fault(name, "is not a row of leaves");
      this.#row = { index, name, leaves: leaves ?? [] };
    }
    const bytes = this.#row.leaves[(sequence - 1) % TILE_WIDTH];
    return bytes === undefined ? null : { name: this.#row.name, bytes };
  }
}
