import type { Extensions } from "../core/call.ts";
import { GatewayError } from "../core/errors.ts";
import { isExtension } from "../core/extensions.ts";
import { isJsonObject, type Json, type JsonObject } from "../core/json.ts";

const FEATURE_FIELDS = ["guardrail_id", "token_saving_plan_id", "prompt_id", "memory_id"] as const;
const MAX_TAGS = 64;
const MAX_ID = 256;

/** Reads what the caller told the gateway inside the request: top level first, then `metadata`. */
export function readExtensions(body: JsonObject, headers: Record<string, string>): Extensions {
  const metadata = isJsonObject(body["metadata"]) ? body["metadata"] : {};
  const member = (name: string): { value: Json | undefined; param: string } =>
    body[name] !== undefined && body[name] !== null && isExtension(name, body[name])
      ? { value: body[name], param: name }
      : { value: metadata[name] ?? undefined, param: `metadata.${name}` };

  const features: Record<string, Json> = {};
  for (const name of FEATURE_FIELDS) {
    const { value, param } = member(name);
    const header = headers[`x-routero-${name.replaceAll("_", "-")}`];
    const id = value ?? header;
    if (id === undefined) continue;
    features[name] = text(id, param);
  }
  const customer = member("customer_id");
  const user = typeof body["user"] === "string" ? body["user"] : undefined;
  const customerId =
    customer.value === undefined
      ? (user ?? headers["x-litellm-customer-id"] ?? headers["x-litellm-end-user-id"])
      : text(customer.value, customer.param);
  const timeout = member("timeout");
  const retries = member("num_retries");
  const disable = member("disable_fallbacks");
  const mock = member("mock_response");
  if (mock.value !== undefined) {
    throw new GatewayError("forbidden", `${mock.param}: this key may not ask for mocked answers.`, {
      param: mock.param,
    });
  }
  if (timeout.value === undefined) Object.assign(timeout, ofHeader(headers, "x-litellm-timeout"));
  if (retries.value === undefined)
    Object.assign(retries, ofHeader(headers, "x-litellm-num-retries"));
  return {
    ...(customerId !== undefined && { customerId: customerId.slice(0, MAX_ID).toWellFormed() }),
    tags: tags(member("tags"), headers["x-routero-tags"] ?? headers["x-litellm-tags"]),
    metadata: metadata as Record<string, Json>,
    ...(timeout.value !== undefined && { timeoutMs: seconds(timeout.value, timeout.param) }),
    ...(retries.value !== undefined && { numRetries: count(retries.value, retries.param) }),
    disableFallbacks: flag(disable.value, disable.param),
    ...(breaksOff(member("mid_stream")) && { breaksOff: true }),
    fallbacks: names(member("fallbacks")),
    features,
  };
}

function wrong(param: string, right: string): GatewayError {
  return new GatewayError("invalid_request", `${param}: must be ${right}.`, { param });
}

function text(value: Json, param: string): string {
  if (typeof value !== "string" || value === "" || value.length > MAX_ID) {
    throw wrong(param, `a string of 1 to ${MAX_ID} characters`);
  }
  return value;
}

function names(member: { value: Json | undefined; param: string }): string[] {
  if (member.value === undefined) return [];
  if (!Array.isArray(member.value) || member.value.length > 5) {
    throw wrong(member.param, "a list of at most 5 model names");
  }
  return member.value.map((each, index) => text(each, `${member.param}[${index}]`));
}

function tags(member: { value: Json | undefined; param: string }, header?: string): string[] {
  if (member.value === undefined) {
    return (header ?? "")
      .split(",")
      .map((tag) => tag.trim())
      .filter((tag) => tag !== "")
      .slice(0, MAX_TAGS);
  }
  if (!Array.isArray(member.value) || member.value.length > MAX_TAGS) {
    throw wrong(member.param, `a list of at most ${MAX_TAGS} strings`);
  }
  return member.value.map((each, index) => text(each, `${member.param}[${index}]`));
}

function breaksOff({ value, param }: { value: Json | undefined; param: string }): boolean {
  if (value !== undefined && value !== "continue" && value !== "error") {
    throw wrong(param, '"continue" or "error"');
  }
  return value === "error";
}

/** A number that a client sent as a header; what is no number counts as not sent. */
function ofHeader(headers: Record<string, string>, param: string) {
  const value = Number(headers[param] ?? Number.NaN);
  return Number.isFinite(value) ? { value, param } : {};
}

/** A caller's seconds as milliseconds. */
function seconds(value: Json, param: string): number {
  if (typeof value !== "number" || !(value > 0)) throw wrong(param, "a positive number of seconds");
  return value * 1000;
}

function count(value: Json, param: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw wrong(param, "a whole number, 0 or more");
  }
  return value;
}

function flag(value: Json | undefined, param: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw wrong(param, "true or false");
  return value;
}
