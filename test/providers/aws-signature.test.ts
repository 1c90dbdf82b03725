import { createHash, createHmac } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";
import { expect, test } from "vitest";
import { awsHeaders } from "../../worker/providers/signing/aws.ts";

const accessKeyId = "AKIDEXAMPLE";
const secretAccessKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

test.each([
  ["GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
  ["POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
  [
    "GET",
    "/?Param2=value2&Param1=value1",
    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  ],
])("%s %s is signed as AWS's published test suite has it", async (method, path, signature) => {
  const signer = new AwsV4Signer({
    method,
    url: `https://example.amazonaws.com${path}`,
    datetime: "20150830T123600Z",
    service: "service",
    region: "us-east-1",
    accessKeyId,
    secretAccessKey,
  });
  expect((await signer.sign()).headers.get("authorization")).toBe(
    `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`,
  );
});

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string) =>
  createHmac("sha256", key).update(text).digest();

test("a call of Bedrock verifies by AWS's rules: the encoded model's name is encoded once more", async () => {
  const path = "/model/us.anthropic.claude-v2%3A1/converse";
  const body = '{"messages":[{"role":"user","content":[{"text":"größe"}]}]}';
  const headers: Record<string, string> = { "content-type": "application/json" };
  const host = "bedrock-runtime.us-east-1.amazonaws.com";
  const url = `https://${host}${path}`;
  const parts = { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey };
  const region = { aws_region_name: "us-east-1" };
  const made = await awsHeaders(parts, { url, method: "POST", headers, body }, region);
  const [, scope = "", names = "", signature] =
    /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)/.exec(
      made["authorization"] ?? "",
    ) ?? [];
  const all: Record<string, string | undefined> = { ...headers, ...made, host };
  const canonical = [
    "POST",
    path.replace("%3A", "%253A"),
    "",
    ...names.split(";").map((name) => `${name}:${all[name] ?? ""}`),
    "",
    names,
    sha256(body),
  ].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", made["x-amz-date"], scope, sha256(canonical)].join("\n");
  const key = scope.split("/").reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  expect(hmac(key, toSign).toString("hex")).toBe(signature);
  expect(scope).toMatch(/^\d{8}\/us-east-1\/bedrock\/aws4_request$/);
});
