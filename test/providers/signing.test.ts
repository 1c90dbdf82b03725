import { generateKeyPair, exportPKCS8, jwtVerify } from "jose";
import { beforeEach, expect, test } from "vitest";
import type { UpstreamRequest } from "../../worker/core/ports.ts";
import { signatureOf, type SigningWorld } from "../../worker/providers/signing/index.ts";

const REQUEST = {
  url: "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-v2%3A1/converse",
  method: "POST",
  headers: { "content-type": "application/json" },
  body: '{"messages":[]}',
} as const;

let sent: UpstreamRequest[] = [];
let now = 1_800_000_000_000;
let answer: () => Response = () => Response.json({ access_token: "token-1", expires_in: 3600 });

const world: SigningWorld = {
  upstream: {
    async send(request) {
      sent.push(request);
      return answer();
    },
  },
  isolate: { accessTokens: new Map() },
  settings: { allowPrivateUpstreams: false },
  now: () => now,
};

beforeEach(() => {
  sent = [];
  world.isolate.accessTokens.clear();
  answer = () => Response.json({ access_token: `token-${sent.length}`, expires_in: 3600 });
});

const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
const account = (more: object = {}) =>
  JSON.stringify({
    vertex_credentials: JSON.stringify({
      type: "service_account",
      client_email: "gateway@project.iam.gserviceaccount.com",
      private_key: PEM,
      private_key_id: "k1",
      token_uri: "https://oauth2.googleapis.com/token",
      ...more,
    }),
  });
const PEM = await exportPKCS8(privateKey);

test("a key goes into the header that the row names", async () => {
  const sign = (auth: Parameters<typeof signatureOf>[0], secret: string | null) =>
    signatureOf(auth, secret, REQUEST, {}, world);
  expect(await sign("bearer", "k")).toEqual({ authorization: "Bearer k" });
  expect(await sign({ header: "x-api-key" }, "k")).toEqual({ "x-api-key": "k" });
  expect(await sign("azure", "k")).toEqual({ "api-key": "k" });
  expect(await sign("google", "k")).toEqual({ "x-goog-api-key": "k" });
  expect(await sign("aws", "k")).toEqual({ authorization: "Bearer k" });
  expect(await sign("none", "k")).toEqual({});
  expect(await sign("bearer", null)).toEqual({});
  expect(sent).toEqual([]);
});

test("an Entra token is a bearer token; an application is exchanged for one, once", async () => {
  const token = JSON.stringify({ azure_ad_token: "t" });
  expect(await signatureOf("azure", token, REQUEST, {}, world)).toEqual({
    authorization: "Bearer t",
  });
  const app = JSON.stringify({ tenant_id: "ten/ant", client_id: "app", client_secret: "s3" });
  const first = await signatureOf("azure", app, REQUEST, {}, world);
  expect(first).toEqual({ authorization: "Bearer token-1" });
  expect(await signatureOf("azure", app, REQUEST, {}, world)).toEqual(first);
  expect(sent).toHaveLength(1);
  expect(sent[0]?.url).toBe("https://login.microsoftonline.com/ten%2Fant/oauth2/v2.0/token");
  expect(Object.fromEntries(new URLSearchParams(sent[0]?.body))).toEqual({
    grant_type: "client_credentials",
    client_id: "app",
    client_secret: "s3",
    scope: "https://cognitiveservices.azure.com/.default",
  });
});

test("a service account's assertion is signed by its key, and its token used until it ends", async () => {
  const first = await signatureOf("google", account(), REQUEST, {}, world);
  expect(first).toEqual({ authorization: "Bearer token-1" });
  const assertion = new URLSearchParams(sent[0]?.body).get("assertion") ?? "";
  const { payload, protectedHeader } = await jwtVerify(assertion, publicKey, {
    audience: "https://oauth2.googleapis.com/token",
    issuer: "gateway@project.iam.gserviceaccount.com",
    currentDate: new Date(now),
  });
  expect(protectedHeader.kid).toBe("k1");
  expect(payload["scope"]).toBe("https://www.googleapis.com/auth/cloud-platform");
  now += 3_500_000;
  expect(await signatureOf("google", account(), REQUEST, {}, world)).toEqual(first);
  now += 100_000;
  expect(await signatureOf("google", account(), REQUEST, {}, world)).toEqual({
    authorization: "Bearer token-2",
  });
});

test("an identity service at a private or metadata address is never asked", async () => {
  for (const token_uri of ["http://10.0.0.1/token", "http://169.254.169.254/token", "nonsense"]) {
    const signed = signatureOf("google", account({ token_uri }), REQUEST, {}, world);
    await expect(signed).rejects.toThrow("is not allowed");
  }
  expect(sent).toEqual([]);
});

test("a refusal of the identity service does not leave with its words", async () => {
  answer = () => Response.json({ error: "secret words" }, { status: 400 });
  const signed = signatureOf("google", account(), REQUEST, {}, world);
  await expect(signed).rejects.toMatchObject({
    status: 401,
    message: "The provider's identity service refused the stored credential.",
  });
  answer = () => new Response("down", { status: 503 });
  await expect(signatureOf("google", account(), REQUEST, {}, world)).rejects.toMatchObject({
    status: 503,
  });
});

test("AWS requests carry a Signature V4 over the path as it is sent", async () => {
  const secret = JSON.stringify({
    aws_access_key_id: "AKIDEXAMPLE",
    aws_secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    aws_session_token: "session",
  });
  const region = { aws_region_name: "us-east-1" };
  const headers = await signatureOf("aws", secret, REQUEST, region, world);
  expect(headers["authorization"]).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/us-east-1\/bedrock\/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}$/,
  );
  expect(headers["x-amz-security-token"]).toBe("session");
  await expect(signatureOf("aws", secret, REQUEST, {}, world)).rejects.toThrow("region");
});
