import type { Isolate } from "../core/isolate.ts";
import type { Vault } from "../core/ports.ts";
import type { CredentialRecord } from "../core/records.ts";
import { secretOf } from "./versioned-secrets.ts";
import type { VersionedSecrets } from "./versioned-secrets.ts";

const NONCE_BYTES = 12;
const DATA_KEY_BYTES = 32;
const MAX_OPENED = 1_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A vault whose key-encryption key can be replaced while it serves. */
export interface RotatingVault extends Vault {
  /** The same secret with its data key wrapped by the current key-encryption key; the secret itself is not touched. */
  rewrap(orgId: string, credential: CredentialRecord): Promise<string>;
}

/**
 * Envelope encryption: a random key of its own encrypts each secret, and the deployment's key-encryption key wraps that
 * one. Both layers are bound to organization, provider, credential and version, so that a sealed text moved to another
 * row does not open. `opened` keeps clear texts in memory, found only by the very text and binding that sealed them.
 */
export function makeVault(keks: VersionedSecrets, opened: Isolate["secrets"]): RotatingVault {
  return {
    async rewrap(orgId, credential) {
      const { id, provider, version } = credential;
      const bound = binding(orgId, provider, id, version);
      try {
        const { dataKey, nonce, cipher } = await unwrap(keks, bound, credential.sealed);
        const wrapped = await wrap(keks, bound, dataKey);
        return [...wrapped, nonce, cipher].join(".");
      } catch {
        throw unopened();
      }
    },
    seal(orgId, provider, keyId, version, secret) {
      return seal(keks, binding(orgId, provider, keyId, version), secret);
    },
    async open(orgId, credential) {
      const { id, provider, version, sealed } = credential;
      const bound = binding(orgId, provider, id, version);
      const name = `${bound} ${sealed}`;
      const known = opened.get(name);
      if (known !== undefined) return known;
      const secret = await unseal(keks, bound, credential);
      if (opened.size >= MAX_OPENED) {
        const oldest = opened.keys().next().value;
        if (oldest !== undefined) opened.delete(oldest);
      }
      opened.set(name, secret);
      return secret;
    },
  };
}

/** Escaped before it is joined: no choice of names makes two bindings read alike. */
function binding(orgId: string, provider: string, keyId: string, version: number): string {
  return [orgId, provider, keyId, String(version)].map(encodeURIComponent).join("|");
}

async function seal(keks: VersionedSecrets, bound: string, secret: string): Promise<string> {
  const dataKey = crypto.getRandomValues(new Uint8Array(DATA_KEY_BYTES));
  const wrapped = await wrap(keks, bound, dataKey);
  const cipher = await encrypt(dataKey, bound, encoder.encode(secret));
  return [...wrapped, ...cipher].join(".");
}

async function wrap(
  keks: VersionedSecrets,
  bound: string,
  dataKey: Uint8Array,
): Promise<[string, string, string]> {
  const { current } = keks;
  const kek = secretOf(keks, current);
  return [String(current), ...(await encrypt(kek, wrapBinding(current, bound), dataKey))];
}

async function unseal(
  keks: VersionedSecrets,
  bound: string,
  credential: CredentialRecord,
): Promise<string> {
  try {
    const { dataKey, nonce, cipher } = await unwrap(keks, bound, credential.sealed);
    return decoder.decode(await decrypt(dataKey, bound, nonce, cipher));
  } catch {
    throw unopened();
  }
}

async function unwrap(
  keks: VersionedSecrets,
  bound: string,
  sealed: string,
): Promise<{ dataKey: Uint8Array; nonce: string; cipher: string }> {
  const [name = "", wrapNonce = "", wrapped = "", nonce = "", cipher = "", ...rest] =
    sealed.split(".");
  if (rest.length > 0) throw new Error("Too many parts.");
  const version = Number(name);
  const kek = secretOf(keks, version);
  const dataKey = await decrypt(kek, wrapBinding(version, bound), wrapNonce, wrapped);
  return { dataKey, nonce, cipher };
}

/** Why it failed is not told: a wrong key, a changed text and a moved row look alike. */
function unopened(): Error {
  return new Error("A stored provider credential can't be opened.");
}

function wrapBinding(version: number, bound: string): string {
  return `kek ${version}|${bound}`;
}

async function encrypt(
  key: Uint8Array,
  bound: string,
  data: Uint8Array,
): Promise<[string, string]> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const cipher = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: nonce, additionalData: encoder.encode(bound) },
    await aesKey(key, "encrypt"),
    data,
  );
  return [base64url(nonce), base64url(new Uint8Array(cipher))];
}

async function decrypt(
  key: Uint8Array,
  bound: string,
  nonce: string,
  cipher: string,
): Promise<Uint8Array> {
  const clear = await crypto.subtle.decrypt(
    { name: "AES-GCM", iv: bytesOf(nonce), additionalData: encoder.encode(bound) },
    await aesKey(key, "decrypt"),
    bytesOf(cipher),
  );
  return new Uint8Array(clear);
}

function aesKey(key: Uint8Array, usage: "encrypt" | "decrypt"): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, "AES-GCM", false, [usage]);
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

/** Only the canonical spelling is taken, so that a sealed text can't be changed without effect. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(Buffer.from(text, "base64url"));
  if (base64url(bytes) !== text) throw new Error("Not base64url.");
  return bytes;
}
