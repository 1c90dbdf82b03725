import { describe, expect, it } from "vitest";
import {
  mintInternalToken,
  useInternalToken,
  UsedInMemory,
  type InternalCall,
} from "../../worker/identity/internal-token.ts";
import { makeSignedKeys } from "../../worker/store/signed-key.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";

const NOW = Date.UTC(2026, 10, 21);
const peppers = parseVersionedSecrets("KEY_PEPPER", `1:${Buffer.alloc(32, 1).toString("base64")}`);
const others = parseVersionedSecrets("KEY_PEPPER", `1:${Buffer.alloc(32, 2).toString("base64")}`);
const CALL: InternalCall = {
  purpose: "batches.resume",
  orgId: "gAbCdEf012345",
  object: "batch_1",
  audience: "batches",
};

const use = (
  token: string,
  over: Partial<InternalCall> = {},
  used = new UsedInMemory(),
  now = NOW,
) => useInternalToken(peppers, { ...CALL, ...over }, token, used, now);

describe("internal tokens", () => {
  it("are good once, for a minute, for exactly the call they were made for", async () => {
    const token = await mintInternalToken(peppers, CALL, NOW);
    for (const over of [
      { purpose: "batches.cancel" },
      { orgId: "gAbCdEf012346" },
      { object: "batch_2" },
      { audience: "files" },
    ]) {
      expect([over, await use(token, over)]).toEqual([over, false]);
    }
    const used = new UsedInMemory();
    expect(await use(token, { object: "batch_2" }, used)).toBe(false);
    expect(await use(token, {}, used, NOW + 59_999)).toBe(true);
    expect(await use(token, {}, used, NOW + 59_999)).toBe(false);
    expect(await use(token, {}, new UsedInMemory(), NOW + 60_000)).toBe(false);
    const all = await Promise.all(
      Array.from({ length: 20 }, async () =>
        use(await mintInternalToken(peppers, CALL, NOW), {}, used),
      ),
    );
    expect(all.every(Boolean)).toBe(true);
  });

  it("of one name race for one use", async () => {
    const token = await mintInternalToken(peppers, CALL, NOW);
    const used = new UsedInMemory();
    const results = await Promise.all(Array.from({ length: 50 }, () => use(token, {}, used)));
    expect(results.filter(Boolean)).toHaveLength(1);
  });

  it("are no keys, and keys are no internal tokens", async () => {
    const signed = makeSignedKeys(peppers, () => NOW);
    const grant = { orgId: CALL.orgId, keyId: "k", revision: 1, models: [], scopes: [] };
    expect(await use((await signed.mint(grant, 60)).token)).toBe(false);
    expect(await signed.read(await mintInternalToken(peppers, CALL, NOW))).toBeNull();
    for (const noise of ["", "a.b.c", await mintInternalToken(others, CALL, NOW)]) {
      expect(await use(noise)).toBe(false);
    }
  });

  it("are refused rather than forgotten when too many are remembered", () => {
    const used = new UsedInMemory();
    for (let n = 0; n < 50_000; n++) used.take(`t${n}`, NOW + 60_000, NOW);
    expect(used.take("one more", NOW + 60_000, NOW)).toBe(false);
    expect(used.take("t0", NOW + 60_000, NOW)).toBe(false);
    expect(used.take("later", NOW + 120_000, NOW + 60_000)).toBe(true);
  });
});
