import ipaddr from "ipaddr.js";

type Address = ReturnType<typeof ipaddr.parse>;

/**
 * The canonical text of an address or CIDR block, or null when it is neither. Only the usual forms count: four decimal
 * parts, or IPv6 without a zone. A block's host bits may be set; an IPv4-mapped block becomes its IPv4 block.
 */
export function addressBlock(text: string): string | null {
  const block = parseBlock(text);
  if (block === null) return null;
  const [address, bits] = block;
  return `${address.toString()}/${bits}`;
}

/**
 * True when the client's address lies in one of the blocks; an empty list allows any. An unknown or unreadable address
 * (`null`) lies in none, and neither does anything in an unreadable block.
 */
export function addressAllowed(blocks: readonly string[], address: string | null): boolean {
  if (blocks.length === 0) return true;
  const client = address === null ? null : parseAddress(address);
  if (client === null) return false;
  return blocks.some((text) => {
    const block = parseBlock(text);
    return block !== null && block[0].kind() === client.kind() && client.match(block[0], block[1]);
  });
}

function parseBlock(text: string): [Address, number] | null {
  const [host = "", prefix, ...rest] = text.split("/");
  if (rest.length > 0) return null;
  const address = parseRaw(host);
  if (address === null) return null;
  const width = address.kind() === "ipv4" ? 32 : 128;
  if (prefix !== undefined && !/^(0|[1-9]\d{0,2})$/.test(prefix)) return null;
  const bits = prefix === undefined ? width : Number(prefix);
  if (bits > width) return null;
  const mapped = unmapped(address);
  if (mapped === address) return [address, bits];
  return bits >= 96 ? [mapped, bits - 96] : null;
}

function parseAddress(text: string): Address | null {
  const address = parseRaw(text);
  return address === null ? null : unmapped(address);
}

function parseRaw(text: string): Address | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  return !text.includes("%") && ipaddr.IPv6.isValid(text) ? ipaddr.IPv6.parse(text) : null;
}

/** Clients behind a dual-stack listener show as `::ffff:a.b.c.d`; rules name them by their IPv4 address. */
function unmapped(address: Address): Address {
  if (address.kind() === "ipv4") return address;
  const six = address as InstanceType<typeof ipaddr.IPv6>;
  return six.isIPv4MappedAddress() ? six.toIPv4Address() : six;
}

/** True when a whole block lies inside one of the blocks; an empty list holds any. */
export function addressWithin(blocks: readonly string[], block: string): boolean {
  const inner = parseBlock(block);
  if (inner === null) return false;
  if (blocks.length === 0) return true;
  return blocks.some((text) => {
    const outer = parseBlock(text);
    return (
      outer !== null &&
      outer[0].kind() === inner[0].kind() &&
      outer[1] <= inner[1] &&
      inner[0].match(outer[0], outer[1])
    );
  });
}
