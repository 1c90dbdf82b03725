import { describe, expect, it } from "vitest";
import { clientAddress, type AddressRules } from "../../worker/identity/address.ts";
import { addressAllowed } from "../../worker/policy/authz/addresses.ts";

const socket: AddressRules = { source: "socket", trustedProxies: [] };
const edge: AddressRules = { source: "cloudflare", trustedProxies: [] };
const behind: AddressRules = { source: "socket", trustedProxies: ["10.0.0.0/8", "fd00::/8"] };

function ask(rules: AddressRules, clientIp: string | null, headers: Record<string, string> = {}) {
  return clientAddress(rules, { clientIp, headers: new Headers(headers) });
}

const FORGED = {
  "cf-connecting-ip": "1.1.1.1",
  "x-forwarded-for": "1.1.1.1",
  "x-real-ip": "1.1.1.1",
  "true-client-ip": "1.1.1.1",
  forwarded: "for=1.1.1.1",
};

describe("clientAddress", () => {
  it("is what the listener saw, whatever the headers say", () => {
    expect(ask(socket, "192.0.2.7:51000", FORGED)).toBe("192.0.2.7");
    expect(ask(socket, "[2001:db8::7]:51000", FORGED)).toBe("2001:db8::7");
    expect(ask(behind, "192.0.2.7:51000", FORGED)).toBe("192.0.2.7");
    expect(ask(edge, null, { ...FORGED, "cf-connecting-ip": "198.51.100.4" })).toBe("198.51.100.4");
    expect(ask(edge, "192.0.2.7:1", { "x-forwarded-for": "1.1.1.1" })).toBeNull();
  });

  it("is unknown where nobody who is believed tells it, and then passes no CIDR check", () => {
    const unknown = [
      ask({ source: "none", trustedProxies: ["0.0.0.0/0"] }, "192.0.2.7:1", FORGED),
      ask(socket, null, FORGED),
      ask(socket, "unix:/run/routero.sock", FORGED),
      ask(edge, null, {}),
      ask(edge, null, { "cf-connecting-ip": "1.1.1.1, 2.2.2.2" }),
      ask(edge, null, { "cf-connecting-ip": "0.0.0.0/0" }),
    ];
    for (const address of unknown) {
      expect(address).toBeNull();
      expect(addressAllowed(["0.0.0.0/0", "::/0"], address)).toBe(false);
    }
  });

  it("is the last hop before the trusted proxies, never one that the client could write", () => {
    const via = (chain: string) => ask(behind, "10.0.0.1:4000", { "x-forwarded-for": chain });
    expect(via("203.0.113.9")).toBe("203.0.113.9");
    expect(via("1.1.1.1, 203.0.113.9, 10.2.3.4")).toBe("203.0.113.9");
    expect(via("10.9.9.9, 203.0.113.9")).toBe("203.0.113.9");
    expect(via("203.0.113.9, fd00::1")).toBe("203.0.113.9");
    expect(via("")).toBeNull();
    expect(via("10.2.3.4")).toBeNull();
    expect(via("203.0.113.9, noise, 10.2.3.4")).toBeNull();
    expect(via(Array.from({ length: 40 }, () => "10.0.0.1").join(","))).toBeNull();
  });
});
