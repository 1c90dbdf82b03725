import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { gatewayObjects, saveIn } from "../../cli/audit-objects.ts";
import { auditCommand } from "../../cli/audit.ts";
import { checkpointName, HEAD } from "../../worker/core/sealed-log/layout.ts";
import { verifyLog } from "../../worker/core/sealed-log/verify.ts";
import { LogWorld } from "../support/sealed-log.ts";

// A gateway whose archive somebody has laid hands on, as the command line reads it.

let archive: LogWorld["archive"];
/** What the gateway itself takes for its newest checkpoint. */
let newest = "";
const server = createServer((request, response) => {
  const objects = [...archive.objects].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const page = objects.map(([name, bytes]) => ({
    name,
    bytes: Buffer.from(bytes).toString("base64"),
  }));
  const isPage = request.url?.startsWith("/audit-log/objects") === true;
  response.end(isPage ? JSON.stringify({ objects: page, after: null }) : newest);
});

beforeAll(() => new Promise<void>((done) => void server.listen(0, "127.0.0.1", done)));
afterAll(() => new Promise((done) => void server.close(done)));

test("an older head is found over HTTP, and told apart from a log that went on meanwhile", async () => {
  const world = new LogWorld();
  await world.grow([5, 40, 3]);
  archive = world.archive.copy();
  const of = (size: number) => archive.objects.get(checkpointName(size)) ?? new Uint8Array();
  archive.objects.set(HEAD, of(46));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = async () =>
    verifyLog(await gatewayObjects({ url, key: "sk-test" }, () => undefined));
  newest = new TextDecoder().decode(of(46));
  expect((await report()).faults).toEqual([
    { object: HEAD, says: expect.stringContaining("is older than audit/checkpoints/49") },
  ]);
  newest = new TextDecoder().decode(of(49));
  expect(await report()).toMatchObject({ faults: [], size: 46 });
});

test("a name that holds control characters writes no line of the report", async () => {
  const folder = await mkdtemp(join(tmpdir(), "audit-names-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const world = new LogWorld();
  await world.grow([3]);
  for (const [name, bytes] of world.archive.objects) await saveIn(folder, name, bytes);
  await saveIn(folder, "audit/\u001b[2J\u009b0m\nSOUND\u202e", new Uint8Array(1));
  const lines: string[] = [];
  const code = await auditCommand(["verify", folder], {
    out: (text) => void lines.push(...text.split("\n")),
    err: () => undefined,
  });
  expect([code, lines.filter((line) => line.startsWith("SOUND"))]).toEqual([1, []]);
  expect(lines).toContain(
    String.raw`  audit/\u{1b}[2J\u{9b}0m\u{a}SOUND\u{202e} does not belong to the log`,
  );
});
