import { describe, expect, it } from "vitest";
import { addressAllowed, addressBlock } from "../../../worker/policy/authz/addresses.ts";

describe("addressBlock", () => {
  it("reads addresses and blocks in their usual forms and nothing else", () => {
    expect(addressBlock("10.0.0.1")).toBe("10.0.0.1/32");
    expect(addressBlock("10.1.0.0/8")).toBe("10.1.0.0/8");
    expect(addressBlock("2001:DB8::/32")).toBe("2001:db8::/32");
    expect(addressBlock("::ffff:10.0.0.0/104")).toBe("10.0.0.0/8");
    for (const text of [
      "",
      "10",
      "10.0.0",
      "0x7f.0.0.1",
      "010.0.0.1",
      "10.0.0.1/33",
      "10.0.0.1/",
      "10.0.0.1/8/8",
      "10.0.0.1/08",
      "::/129",
      "::ffff:10.0.0.0/90",
      "fe80::1%eth0",
      "localhost",
      "10.0.0.1 ",
      "*",
      "10.0.0.0/-1",
    ]) {
      expect(addressBlock(text), text).toBeNull();
    }
  });
});

describe("addressAllowed", () => {
  it("matches within blocks, IPv4-mapped clients included, and fails for an unknown address", () => {
    const blocks = ["10.0.0.0/8", "2001:db8::/32"];
    expect(addressAllowed(blocks, "10.255.0.1")).toBe(true);
    expect(addressAllowed(blocks, "::ffff:10.1.2.3")).toBe(true);
    expect(addressAllowed(blocks, "2001:db8:1::5")).toBe(true);
    expect(addressAllowed(blocks, "11.0.0.1")).toBe(false);
    expect(addressAllowed(blocks, "2001:db9::1")).toBe(false);
    expect(addressAllowed(blocks, null)).toBe(false);
    expect(addressAllowed(blocks, "unknown")).toBe(false);
    expect(addressAllowed(["rubbish"], "10.0.0.1")).toBe(false);
    expect(addressAllowed(["0.0.0.0/0"], "2001:db8::1")).toBe(false);
    expect(addressAllowed([], null)).toBe(true);
  });
});
