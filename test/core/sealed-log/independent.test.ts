import { execFileSync } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toBase64 } from "../../../worker/core/bytes.ts";
import { readCheckpoint } from "../../../worker/core/sealed-log/checkpoint.ts";
import { HEAD, tileName } from "../../../worker/core/sealed-log/layout.ts";
import {
  consistencyProof,
  inclusionProof,
  leafHash,
} from "../../../worker/core/sealed-log/merkle.ts";
import { tileReader } from "../../../worker/core/sealed-log/find.ts";
import { tileNodes, unpackEntries } from "../../../worker/core/sealed-log/tiles.ts";
import { LogWorld } from "../../support/sealed-log.ts";
import { cosign, witnessOf } from "../../support/witness.ts";

// Two implementations that share no code with ours: one in Python, written from docs/audit.md, and Go's own
// golang.org/x/mod/sumdb. Both are skipped, and say so, where their tool is not there; the vectors of
// merkle.test.ts always run.

const has = (tool: string, ...words: string[]) => {
  try {
    execFileSync(tool, words, { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
};
const python = has("python3", "--version");
const ed25519 = python && has("python3", "-c", "import cryptography");
const go = process.env["ROUTERO_AUDIT_GO"] === "1" && has("go", "version");

/** Checkpoints that a witness has seen. */
const COSIGNED = [5, 626];

let folder: string;
let world: LogWorld;

beforeAll(async () => {
  world = new LogWorld();
  await world.grow([3, 1, 250, 300, 1, 70]);
  for (const size of COSIGNED) await cosign(world.archive, size, await witnessOf());
  folder = mkdtempSync(join(tmpdir(), "sealed-"));
  for (const [name, bytes] of world.archive.objects) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!python)(
  "a verifier in Python, from the document alone (skipped without python3)",
  () => {
    const script = join(import.meta.dirname, "independent.py");
    const run = (at: string) => execFileSync("python3", [script, at], { stdio: "pipe" }).toString();

    test("finds the same log sound, with the same root", () => {
      const head = readCheckpoint(readFileSync(join(folder, HEAD), "utf8"));
      expect(JSON.parse(run(folder))).toMatchObject({
        size: 626,
        root: toBase64(head?.checkpoint.root ?? new Uint8Array()),
        checkpoints: 8,
        cosignatures: 2,
      });
    });

    test.skipIf(!ed25519)(
      "finds a cosignature of another checkpoint (skipped without cryptography)",
      () => {
        const copy = `${folder}-cosigned`;
        cpSync(folder, copy, { recursive: true });
        const [one, other] = COSIGNED.map((size) =>
          join(
            copy,
            "audit/cosignatures",
            String(size),
            readdirSync(join(copy, "audit/cosignatures", String(size)))[0] ?? "",
          ),
        );
        cpSync(one ?? "", other ?? "");
        expect(() => run(copy)).toThrow(/cosignature of checkpoint 626/);
        rmSync(copy, { recursive: true });
      },
    );

    test("finds a changed record, too", () => {
      const copy = `${folder}-copy`;
      cpSync(folder, copy, { recursive: true });
      const name = join(copy, "audit/segments/1-3.jsonl.gz");
      const bytes = readFileSync(name);
      bytes[9] = (bytes[9] ?? 0) ^ 1;
      writeFileSync(name, bytes);
      expect(() => run(copy)).toThrow(/Command failed/);
      rmSync(copy, { recursive: true });
    });
  },
);

test("every checkpoint's signature is right by Node's own Ed25519", () => {
  for (const [name, bytes] of world.archive.objects) {
    if (!name.includes("/checkpoints/")) continue;
    const text = new TextDecoder().decode(bytes);
    const end = text.indexOf("\n\n");
    const blob = Buffer.from(text.slice(end).trim().split(" ")[2] ?? "", "base64");
    const keyFile = [...world.archive.objects].find(([each]) => each.includes("/keys/"));
    const key = JSON.parse(new TextDecoder().decode(keyFile?.[1])) as { public_key: string };
    const x = Buffer.from(key.public_key, "base64").toString("base64url");
    const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    const body = Buffer.from(text.slice(0, end + 1));
    expect(verify(null, body, publicKey, blob.subarray(4))).toBe(true);
  }
});

describe.skipIf(!go)(
  "Go's sumdb (ROUTERO_AUDIT_GO=1 and go, which fetches golang.org/x/mod)",
  () => {
    test("takes the note's signature, and every proof of inclusion and consistency", async () => {
      const size = 626;
      const objects = world.archive;
      const nodes = tileNodes(size, tileReader(objects));
      const head = new TextDecoder().decode(objects.objects.get(HEAD));
      const keyFile = [...objects.objects].find(([name]) => name.includes("/keys/"));
      const { verifier_key } = JSON.parse(new TextDecoder().decode(keyFile?.[1])) as {
        verifier_key: string;
      };
      const leaves: string[] = [];
      for (const [index, width] of [
        [0, 256],
        [1, 256],
        [2, 114],
      ] as const) {
        const bytes = objects.objects.get(tileName({ level: "entries", index, width }));
        for (const leaf of unpackEntries(bytes ?? new Uint8Array()) ?? [])
          leaves.push(toBase64(leafHash(leaf)));
      }
      const inclusion = [];
      for (let index = 0; index < size; index += 7)
        inclusion.push({
          index,
          leaf: leaves[index],
          proof: (await inclusionProof(nodes, index, size)).map(toBase64),
        });
      const consistency = [];
      for (const [, bytes] of [...objects.objects].filter(([name]) =>
        name.includes("checkpoints/"),
      )) {
        const read = readCheckpoint(new TextDecoder().decode(bytes))?.checkpoint;
        if (read === undefined) continue;
        const proof = (await consistencyProof(nodes, read.size, size)).map(toBase64);
        consistency.push({ size: read.size, root: toBase64(read.root), proof });
      }
      const input = { note: head, key: verifier_key, size, inclusion, consistency };
      const module = join(folder, "go");
      mkdirSync(module);
      cpSync(join(import.meta.dirname, "sumdb.go.txt"), join(module, "main.go"));
      const options = {
        cwd: module,
        stdio: "pipe" as const,
        env: { ...process.env, GOFLAGS: "-mod=mod" },
      };
      execFileSync("go", ["mod", "init", "independent"], options);
      execFileSync("go", ["get", "golang.org/x/mod@v0.21.0"], options);
      const said = execFileSync("go", ["run", "."], { ...options, input: JSON.stringify(input) });
      expect(said.toString().trim()).toBe(
        `ok ${inclusion.length} inclusion, ${consistency.length} consistency`,
      );
    }, 240_000);
  },
);
