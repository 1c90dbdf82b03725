import canonicalize from "canonicalize";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../../worker/core/bytes.ts";
import type { JsonObject } from "../../../worker/core/json.ts";
import { canonicalText } from "../../../worker/core/sealed-log/leaf.ts";
import {
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  nodeHash,
  provesConsistency,
  provesInclusion,
} from "../../../worker/core/sealed-log/merkle.ts";
import type { Hash } from "../../../worker/core/sealed-log/merkle.ts";
import { signerOf, verifies } from "../../../worker/core/sealed-log/note.ts";
import { Border, readTilePath, tilePath } from "../../../worker/core/sealed-log/tiles.ts";

/** Little-endian to big-endian and back. */
const backwards = (text: string) => toHex(hex(text).toReversed());
const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

// The leaves and roots that certificate-transparency implementations share as test vectors of RFC 6962.
const LEAVES = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map(hex);
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/** The tree by its definition, for any leaves. */
function mth(hashes: readonly Hash[]): Hash {
  const [first] = hashes;
  if (first === undefined) return EMPTY_ROOT;
  if (hashes.length === 1) return first;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(mth(hashes.slice(0, k)), mth(hashes.slice(k)));
}

const reader = (hashes: readonly Hash[]) => async (level: number, index: number) =>
  mth(hashes.slice(index * 2 ** level, (index + 1) * 2 ** level));

const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, n) => leafHash(new TextEncoder().encode(`leaf ${n}`)));

describe("the tree", () => {
  test("has the roots of the shared vectors at every size", () => {
    expect(toHex(EMPTY_ROOT)).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    const border = new Border();
    for (const [at, leaf] of LEAVES.entries()) {
      border.push(leafHash(leaf));
      expect(toHex(border.root())).toBe(ROOTS[at]);
    }
  });

  test("grown leaf by leaf over tiles of three levels is the tree of the definition", () => {
    const hashes = leavesOf(1_300);
    const border = new Border();
    for (const [at, leaf] of hashes.entries()) {
      border.push(leaf);
      if (at % 61 === 0 || at > 1_295)
        expect(toHex(border.root()), String(at)).toBe(toHex(mth(hashes.slice(0, at + 1))));
    }
    const far = new Border(256 ** 2, [[], [], leavesOf(1)]);
    far.push(leafHash(hex("00")));
    expect(toHex(far.root())).toBe(toHex(nodeHash(leavesOf(1)[0]!, leafHash(hex("00")))));
  });

  test("proves inclusion and consistency, and nothing else", async () => {
    const place = fc.integer({ min: 1, max: 70 }).chain((size) =>
      fc.record({
        size: fc.constant(size),
        index: fc.nat(size - 1),
        older: fc.integer({ min: 1, max: size }),
        bit: fc.nat(255),
        which: fc.nat(20),
      }),
    );
    await fc.assert(
      fc.asyncProperty(place, async ({ size, index, older, bit, which }) => {
        const hashes = leavesOf(size);
        const root = mth(hashes);
        const read = reader(hashes);
        const flipped = (proof: readonly Hash[]) =>
          proof.map((hash, at) => {
            if (at !== which % proof.length) return hash;
            const other = hash.slice();
            other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
            return other;
          });
        const leaf = hashes[index] ?? root;
        const path = await inclusionProof(read, index, size);
        expect(provesInclusion(leaf, index, size, path, root)).toBe(true);
        expect(provesInclusion(leaf, index, size, [...path, root], root)).toBe(false);
        if (path.length > 0) {
          expect(provesInclusion(leaf, index, size, flipped(path), root)).toBe(false);
          expect(provesInclusion(leaf, index, size, path.slice(1), root)).toBe(false);
          expect(provesInclusion(leaf, index ^ 1, size, path, root)).toBe(false);
        }
        const before = mth(hashes.slice(0, older));
        const proof = await consistencyProof(read, older, size);
        expect(provesConsistency(older, size, proof, before, root)).toBe(true);
        expect(provesConsistency(older, size, [...proof, root], before, root)).toBe(false);
        if (older < size) {
          expect(provesConsistency(older, size, flipped(proof), before, root)).toBe(false);
          expect(provesConsistency(older, size, proof, root, root)).toBe(false);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("names tiles as tlog-tiles does, and reads no other spelling", () => {
    expect(tilePath({ level: 0, index: 1_234_067, width: 256 })).toBe("tile/0/x001/x234/067");
    expect(tilePath({ level: "entries", index: 0, width: 5 })).toBe("tile/entries/000.p/5");
    for (const path of [
      "tile/0/1",
      "tile/0/x000/001",
      "tile/00/000",
      "tile/0/000.p/0",
      "tile/0/000.p/256",
    ])
      expect(readTilePath(path), path).toBeNull();
    expect(readTilePath("tile/1/x001/000.p/255")).toEqual({ level: 1, index: 1_000, width: 255 });
  });
});

test("Ed25519 is that of RFC 8032: its first vectors, and no signature with another scalar", async () => {
  const vectors = [
    [
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
  ] as const;
  for (const [seed, publicKey, message, signature] of vectors) {
    const signer = await signerOf("vector", hex(seed));
    expect(toHex(signer.publicKey)).toBe(publicKey);
    expect(toHex(await signer.sign(hex(message)))).toBe(signature);
    expect(await verifies(signer.publicKey, hex(signature), hex(message))).toBe(true);
    // S + L is the same scalar: a signature that is taken twice could be changed unseen.
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const scalar = backwards(signature.slice(64));
    const other = (BigInt(`0x${scalar}`) + order).toString(16).padStart(64, "0");
    const changed = signature.slice(0, 64) + backwards(other);
    expect(await verifies(signer.publicKey, hex(changed), hex(message))).toBe(false);
  }
});

test("a record's canonical text is the one that the library writes, or none where it writes none", () => {
  const name = fc.oneof(
    fc.constantFrom(
      "10",
      "9",
      "01",
      "é",
      "__proto__",
      "toJSON",
      "constructor",
      "a\ud800",
      "\ufb33",
    ),
    fc.string(),
  );
  const leaf = fc.oneof(
    fc.constantFrom(
      NaN,
      -0,
      Infinity,
      1e21,
      undefined,
      "\ud800",
      "\\ud800",
      "\u2028",
      new Date(0),
      1n,
    ),
    fc.jsonValue(),
    fc.string({ unit: "binary" }),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 2 },
      leaf,
      fc.array(tie("value"), { maxLength: 4 }),
      fc.array(fc.tuple(name, tie("value")), { maxLength: 5 }).map(objectOf),
    ),
  }));
  const written = (of: JsonObject): string | null => {
    try {
      return canonicalize(of) ?? null;
    } catch {
      return null;
    }
  };
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 6 }).map(objectOf), (made) => {
      expect(canonicalText(made)).toBe(written(made));
    }),
    { numRuns: 200 },
  );
});

/** As JSON.parse makes objects: every name is a member of its own. */
function objectOf(members: [string, unknown][]): JsonObject {
  const object = {};
  for (const [name, value] of members) {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true });
  }
  return object;
}

test("canonical JSON is that of RFC 8785", () => {
  const cases: [string, string][] = [
    ['[56,{"d":true,"10":null,"1":[]}]', '[56,{"1":[],"10":null,"d":true}]'],
    [
      '{"peach":"This sorting order","péché":"is wrong according to French","pêche":"but canonicalization MUST","sin":"ignore locale"}',
      '{"peach":"This sorting order","péché":"is wrong according to French","pêche":"but canonicalization MUST","sin":"ignore locale"}',
    ],
    [
      '{"1":{"f":{"f":"hi","F":5},"\\n":56.0},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}',
      '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}',
    ],
    [
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    ],
    [
      '{"\\u20ac":"Euro","\\r":"CR","\\ufb33":"Dalet","1":"One","\\ud83d\\ude00":"Smile","\\u0080":"Control","\\u00f6":"Latin"}',
      '{"\\r":"CR","1":"One","\u0080":"Control","ö":"Latin","€":"Euro","😀":"Smile","\ufb33":"Dalet"}',
    ],
  ];
  for (const [input, output] of cases) {
    expect(canonicalize(JSON.parse(input))).toBe(output);
    if (output.startsWith("{")) expect(canonicalText(JSON.parse(input) as JsonObject)).toBe(output);
  }
  expect(() => canonicalize({ half: "\ud800" })).toThrow();
});
