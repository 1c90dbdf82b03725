import { AwsV4Signer } from "aws4fetch";
import type { Unsigned } from "./index.ts";
import { SigningFault } from "./fault.ts";

/** The service that a request to Bedrock is signed for, whatever host it goes to. */
const SERVICE = "bedrock";

/** Signature Version 4 over method, address, headers and body. */
export async function awsHeaders(
  parts: Readonly<Record<string, string>>,
  request: Unsigned,
  params: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const accessKeyId = parts["aws_access_key_id"];
  const secretAccessKey = parts["aws_secret_access_key"];
  const region = params["aws_region_name"];
  if (accessKeyId === undefined || secretAccessKey === undefined || region === undefined) {
    throw new SigningFault("The stored AWS credential or its region is incomplete.");
  }
  const signer = new AwsV4Signer({
    method: request.method,
    url: request.url,
    headers: request.headers,
    body: request.body ?? "",
    accessKeyId,
    secretAccessKey,
    ...(parts["aws_session_token"] !== undefined && { sessionToken: parts["aws_session_token"] }),
    service: SERVICE,
    region,
  });
  const { headers } = await signer.sign();
  const signed: Record<string, string> = {};
  for (const name of [
    "authorization",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
  ]) {
    const value = headers.get(name);
    if (value !== null) signed[name] = value;
  }
  return signed;
}
