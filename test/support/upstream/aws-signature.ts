import { createHash, createHmac } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Secret keys of the AWS accounts that the tests name, by access key. */
const SECRETS: Readonly<Record<string, string>> = { AKIDMATRIX: "not-a-real-key" };

const sha256 = (text: string | Buffer) => createHash("sha256").update(text).digest("hex");
const hmac = (key: string | Buffer, text: string) =>
  createHmac("sha256", key).update(text).digest();
const encoded = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`);

/**
 * Signature Version 4 of a request to Bedrock, reckoned anew as AWS documents it and by Node's own code; undefined where it
 * is right, else what is wrong. `path` is as it was sent.
 */
export function signatureFault(request: {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  raw: Buffer;
}): string | undefined {
  const { method, path, headers, raw } = request;
  const [, access = "", scope = "", names = "", signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(
      headers.authorization ?? "",
    ) ?? [];
  const secret = SECRETS[access];
  if (secret === undefined) return "The security token included in the request is invalid.";
  const [date = "", region = "", service = ""] = scope.split("/");
  const time = String(headers["x-amz-date"]);
  if (!names.split(";").includes("host") || !time.startsWith(date)) return "Signed too little.";
  const [at = "", query = ""] = path.split("?");
  const canonical = [
    method,
    at.split("/").map(encoded).join("/"),
    query,
    ...names.split(";").map((name) => `${name}:${String(headers[name]).trim()}`),
    "",
    names,
    sha256(raw),
  ].join("\n");
  const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n");
  const key = [date, region, service, "aws4_request"].reduce<string | Buffer>(
    (from, part) => hmac(from, part),
    `AWS4${secret}`,
  );
  const right = hmac(key, text).toString("hex");
  return right === signature ? undefined : "The request signature does not match.";
}
