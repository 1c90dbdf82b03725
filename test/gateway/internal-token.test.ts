import { SignJWT } from "jose";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mintInternalToken } from "../../worker/identity/internal-token.ts";
import { parseVersionedSecrets } from "../../worker/store/versioned-secrets.ts";
import { startGateway, type TestGateway } from "../support/cluster/index.ts";

const PEPPER = `1:${randomBytes(32).toString("base64")}`;
let gw: TestGateway;
beforeAll(async () => {
  gw = await startGateway({ vars: { PROFILE: "self-hosted", KEY_PEPPER: PEPPER } });
});
afterAll(() => gw?.stop());

/** One call of every kind that takes a credential, by every header that carries one. */
async function statuses(token: string): Promise<Set<number>> {
  const headers = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
  const paths: [method: string, path: string, body?: object][] = [
    ["POST", "/v1/chat/completions", { model: "sim/echo", messages: [] }],
    ["GET", "/v1/models"],
    ["GET", "/key/list"],
    ["POST", "/organization/new", { organization_alias: "x" }],
    ["GET", "/metrics"],
  ];
  const seen = new Set<number>();
  for (const name of headers) {
    for (const [method, path, body] of paths) {
      const value = name === "authorization" ? `Bearer ${token}` : token;
      const answer = await fetch(gw.url + path, {
        method,
        headers: { [name]: value, "content-type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
      seen.add(answer.status);
    }
  }
  return seen;
}

test("an internal token opens nothing from outside: genuine, forged, used again or in another's name", async () => {
  const peppers = parseVersionedSecrets("KEY_PEPPER", PEPPER);
  const call = {
    purpose: "batches.resume",
    orgId: gw.tenant.organizationId.slice(4),
    object: "batch_1",
    audience: "gateway",
  };
  const genuine = await mintInternalToken(peppers, call, Date.now());
  const forger = parseVersionedSecrets("KEY_PEPPER", `1:${randomBytes(32).toString("base64")}`);
  const [head, body] = genuine.split(".");
  const tokens: [what: string, token: string][] = [
    ["genuine", genuine],
    ["the same again", genuine],
    ["forged", await mintInternalToken(forger, call, Date.now())],
    ["unsigned", `${head}.${body}.`],
    ["stale", await mintInternalToken(peppers, call, Date.now() - 3_600_000)],
    [
      "signed by the bare pepper",
      await new SignJWT({ org: call.orgId, role: "platform_admin" })
        .setProtectedHeader({ alg: "HS256", kid: "1" })
        .setIssuedAt()
        .setExpirationTime("1m")
        .sign(peppers.byVersion.get(1) ?? new Uint8Array()),
    ],
  ];
  for (const [what, token] of tokens) {
    expect([...(await statuses(token))], what).toEqual([401]);
  }
});
