import { fromBase64, fromHex, sha256, toBase64, toHex } from "../bytes.ts";

/** Signed notes (C2SP signed-note) with Ed25519, and witness cosignatures (C2SP tlog-cosignature v1). */

/** What a signature can be by: the first byte of a public key in such a note. */
const ED25519 = 0x01;
const COSIGNATURE = 0x04;
const KEY_BYTES = 32;
const ID_BYTES = 4;

/** The public half of a key that signs notes under a name. */
export interface NoteKey {
  name: string;
  /** Raw Ed25519 public key. */
  publicKey: Uint8Array;
  kind: "log" | "witness";
}

/** A key that can sign. */
export interface NoteSigner extends NoteKey {
  sign: (message: Uint8Array) => Promise<Uint8Array>;
}

export interface NoteSignature {
  name: string;
  /** Eight hexadecimal digits. */
  keyId: string;
  bytes: Uint8Array;
}

export interface SignedNote {
  /** What is signed, with its last newline. */
  body: string;
  signatures: NoteSignature[];
}

const utf8 = new TextEncoder();
const SIGNATURE_LINE = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/;

/** The id that a signature names its key by, as eight hexadecimal digits. */
export function keyIdOf({ name, publicKey, kind }: NoteKey): string {
  const text = utf8.encode(`${name}\n`);
  return toHex(
    sha256(bytesOf(text, Uint8Array.of(kindByte(kind)), publicKey)).subarray(0, ID_BYTES),
  );
}

/** A key as verifiers are given it: `name+id+base64`. */
export function verifierKey(key: NoteKey): string {
  const encoded = toBase64(bytesOf(Uint8Array.of(kindByte(key.kind)), key.publicKey));
  return `${key.name}+${keyIdOf(key)}+${encoded}`;
}

/** Reads such a key; null unless it is exactly in that form and its id is right. */
export function readVerifierKey(text: string): NoteKey | null {
  const [, name, , encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) ?? [];
  const bytes = fromBase64(encoded ?? "");
  if (name === undefined || bytes?.length !== KEY_BYTES + 1) return null;
  const kind = bytes[0] === ED25519 ? "log" : bytes[0] === COSIGNATURE ? "witness" : null;
  if (kind === null) return null;
  const key: NoteKey = { name, publicKey: bytes.slice(1), kind };
  return verifierKey(key) === text ? key : null;
}

/** Signs a text that ends with a newline, by every signer in turn. */
export async function signNote(body: string, signers: readonly NoteSigner[]): Promise<string> {
  const message = utf8.encode(body);
  const lines: string[] = [];
  for (const signer of signers) {
    const signature = await signer.sign(message);
    lines.push(signatureLine(signer, signature));
  }
  return `${body}\n${lines.join("")}`;
}

function signatureLine(key: NoteKey, signature: Uint8Array): string {
  const bytes = bytesOf(fromHex(keyIdOf(key)), signature);
  return `— ${key.name} ${toBase64(bytes)}\n`;
}

/** Takes a note apart; null for anything that is not exactly of the form, to the last byte. */
export function readNote(text: string): SignedNote | null {
  const end = text.lastIndexOf("\n\n");
  if (end < 0 || !text.endsWith("\n")) return null;
  const body = text.slice(0, end + 1);
  const lines = text.slice(end + 2, -1).split("\n");
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const [, name, encoded] = SIGNATURE_LINE.exec(line) ?? [];
    const bytes = fromBase64(encoded ?? "");
    if (name === undefined || bytes === null || bytes.length <= ID_BYTES) return null;
    const keyId = toHex(bytes.subarray(0, ID_BYTES));
    signatures.push({ name, keyId, bytes: bytes.slice(ID_BYTES) });
  }
  return { body, signatures };
}

/** True when a signature of the note is by this key and is right. */
export async function isSignedBy(note: SignedNote, key: NoteKey): Promise<boolean> {
  const keyId = keyIdOf(key);
  for (const each of note.signatures) {
    if (each.name !== key.name || each.keyId !== keyId) continue;
    if (await isRight(note.body, each, key)) return true;
  }
  return false;
}

async function isRight(body: string, signature: NoteSignature, key: NoteKey): Promise<boolean> {
  if (key.kind === "log") return verifies(key.publicKey, signature.bytes, utf8.encode(body));
  // A cosignature stands over the time that the witness saw the checkpoint, in Unix seconds, and its text.
  if (signature.bytes.length !== 8 + 64) return false;
  const seconds = new DataView(signature.bytes.buffer, signature.bytes.byteOffset).getBigUint64(0);
  const message = utf8.encode(`cosignature/v1\ntime ${seconds}\n${body}`);
  return verifies(key.publicKey, signature.bytes.subarray(8), message);
}

/** The signer of a seed of 32 bytes. */
export async function signerOf(name: string, seed: Uint8Array): Promise<NoteSigner> {
  const pkcs8 = bytesOf(PKCS8, seed);
  const algorithm = "Ed25519";
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
  const jwk = (await crypto.subtle.exportKey("jwk", key)) as JsonWebKey;
  return {
    name,
    kind: "log",
    publicKey: new Uint8Array(Buffer.from(jwk.x ?? "", "base64url")),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign(algorithm, key, message)),
  };
}

/** What stands before the seed in the encoding that WebCrypto imports (RFC 8410). */
const PKCS8 = Uint8Array.from([
  0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
]);

/** True for a right Ed25519 signature; false also for keys and signatures that are none. */
export async function verifies(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  try {
    const algorithm = "Ed25519";
    const raw = publicKey.slice();
    const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]);
    return await crypto.subtle.verify(algorithm, key, signature.slice(), message.slice());
  } catch {
    return false;
  }
}

function kindByte(kind: NoteKey["kind"]): number {
  return kind === "log" ? ED25519 : COSIGNATURE;
}

function bytesOf(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
