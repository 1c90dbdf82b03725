import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gatewayObjects } from "../../cli/audit-objects.ts";
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
