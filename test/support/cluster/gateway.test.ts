import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { startGateway } from "./index.ts";

const bundle = join(import.meta.dirname, "toy");
const stateDir = await mkdtemp(join(tmpdir(), "routero-gateway-"));
afterAll(() => rm(stateDir, { recursive: true, force: true }));

test("one gateway in this process hears its worker's console and keeps state where it is told", async () => {
  const first = await startGateway({
    bundle,
    tenant: false,
    stateDir,
    vars: { PROFILE: "self-hosted" },
  });
  const ask = async (url: string) => (await (await fetch(url)).json()) as unknown;
  expect(await ask(`${first.url}/object`)).toBe(1);
  await ask(`${first.url}/log`);
  await expect.poll(() => first.logs).toContainEqual({ level: "log", message: "said by the toy" });
  await first.stop();
  await expect(fetch(first.url)).rejects.toThrow();

  const second = await startGateway({ bundle, tenant: false, stateDir });
  expect(await ask(`${second.url}/object`)).toBe(2);
  expect(await ask(`${second.url}/memory`)).toBe(1);
  await second.stop();

  const fresh = await startGateway({ bundle, tenant: false });
  expect(await ask(`${fresh.url}/object`)).toBe(1);
  await fresh.stop();
});
