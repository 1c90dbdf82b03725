import { addressAllowed, addressBlock } from "../policy/authz/addresses.ts";

/** Who is believed about the address of a client. */
export interface AddressRules {
  /**
   * `cloudflare`: the edge, which sets `CF-Connecting-IP` itself. `socket`: the runtime, where the one who starts it
   * made its listener tell (scripts/bundle.ts). `none`: nobody; the address is unknown.
   */
  source: "cloudflare" | "socket" | "none";
  /** Addresses or CIDR blocks of proxies whose `X-Forwarded-For` is believed; empty = none. */
  trustedProxies: readonly string[];
}

/** What is read of a request. `clientIp` is the runtime's own word for the peer: `1.2.3.4:5678` or `[::1]:5678`. */
export interface AddressFacts {
  headers: Headers;
  clientIp: string | null;
}

/** More hops than this are nobody's honest chain. */
const MOST_HOPS = 32;

/**
 * The client's address, or null when nobody who is believed tells it: an unknown address passes no CIDR check. A
 * forwarded address counts only when the connection came from a trusted proxy: it is the last hop before the trusted
 * ones, since everything to its left was written by the client. Never throws, whatever the headers hold.
 */
export function clientAddress(rules: AddressRules, facts: AddressFacts): string | null {
  const peer = peerOf(rules, facts);
  if (peer === null || !isTrusted(rules, peer)) return peer;
  const hops = (facts.headers.get("x-forwarded-for") ?? "").split(",");
  if (hops.length > MOST_HOPS) return null;
  for (const hop of hops.toReversed()) {
    const text = hop.trim();
    // A proxy that forwards nothing is the client itself as far as anybody knows, and no block is meant for it.
    const address = addressOf(text);
    if (address === null || !isTrusted(rules, address)) return address;
  }
  return null;
}

function peerOf(rules: AddressRules, { headers, clientIp }: AddressFacts): string | null {
  if (rules.source === "cloudflare")
    return addressOf(headers.get("cf-connecting-ip")?.trim() ?? "");
  return rules.source === "socket" && clientIp !== null ? addressOf(withoutPort(clientIp)) : null;
}

/** `addressAllowed` lets everybody pass an empty list, which would mean here that everybody is a proxy. */
function isTrusted({ trustedProxies }: AddressRules, address: string): boolean {
  return trustedProxies.length > 0 && addressAllowed(trustedProxies, address);
}

function withoutPort(peer: string): string {
  return /^\[(.*)\]:\d+$/.exec(peer)?.[1] ?? /^([\d.]+):\d+$/.exec(peer)?.[1] ?? peer;
}

/** The text itself if it is one address; a block, a name or noise is none. */
function addressOf(text: string): string | null {
  return text.includes("/") || addressBlock(text) === null ? null : text;
}
