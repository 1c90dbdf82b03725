import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { publicText, readFault, retryAfter } from "../../worker/protocols/faults.ts";
import { dialectOf } from "../../worker/protocols/index.ts";
import type { FaultClass } from "../../worker/core/fault.ts";
import { publicError, GatewayError } from "../../worker/core/errors.ts";
import { CONTEXT } from "./answers.ts";

const none = new Headers();
const error = (members: Record<string, unknown>) => JSON.stringify({ error: members });

describe("readFault", () => {
  test.each<[FaultClass, number, string]>([
    ["transient", 500, error({ message: "oops" })],
    [
      "transient",
      529,
      '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    ],
    ["transient", 409, error({ message: "conflict" })],
    ["transient", 408, ""],
    ["transient", 503, "<html>busy</html>"],
    ["rate_limit", 429, error({ message: "Rate limit reached", code: "rate_limit_exceeded" })],
    [
      "rate_limit",
      413,
      error({ message: "Request too large: tokens per minute", code: "rate_limit_exceeded" }),
    ],
    [
      "deployment",
      429,
      error({ message: "You exceeded your current quota", code: "insufficient_quota" }),
    ],
    ["deployment", 429, error({ message: "no", type: "exceeded_current_quota_error" })],
    [
      "deployment",
      400,
      '{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}',
    ],
    ["deployment", 402, error({ message: "Insufficient Balance" })],
    ["deployment", 401, error({ message: "Incorrect API key provided" })],
    ["deployment", 403, error({ message: "no access" })],
    // Of one account, and no fault of whoever does not have it.
    [
      "missing",
      400,
      error({ message: "x", param: "previous_response_id", code: "previous_response_not_found" }),
    ],
    ["missing", 404, error({ message: "Conversation with id 'conv_1' not found." })],
    [
      "missing",
      404,
      '{"type":"error","error":{"type":"not_found_error","message":"File not found: file_1"}}',
    ],
    [
      "missing",
      403,
      error({
        message: "You do not have permission to access the File abc or it may not exist.",
        status: "PERMISSION_DENIED",
      }),
    ],
    ["deployment", 404, error({ message: "models/x is not found for API version v1beta" })],
    [
      "deployment",
      404,
      error({
        message: "The API deployment for this resource does not exist.",
        code: "DeploymentNotFound",
      }),
    ],
    // A caller can't say for a provider that its quota is spent.
    [
      "caller",
      400,
      error({ message: "Invalid value: 'insufficient quota'. Supported values are: 'auto'." }),
    ],
    [
      "caller",
      400,
      error({ message: "Invalid value: 'x' insufficient quota 'y'.", param: "service_tier" }),
    ],
    [
      "context_window",
      400,
      error({
        message: "This model's limit is not enough; reduce the length of the messages' text",
      }),
    ],
    [
      "deployment",
      404,
      error({ message: "The model `x` does not exist", code: "model_not_found" }),
    ],
    [
      "context_window",
      400,
      error({
        message: "This model's maximum context length is 8192 tokens",
        code: "context_length_exceeded",
      }),
    ],
    [
      "context_window",
      400,
      '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}',
    ],
    [
      "context_window",
      400,
      '{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 1 + 2 > 3"}}',
    ],
    ["context_window", 422, '{"object":"error","message":"Input is too long"}'],
    [
      "content_filter",
      400,
      error({ message: "The response was filtered due to the prompt", code: "content_filter" }),
    ],
    [
      "content_filter",
      400,
      error({
        message: "x",
        code: "invalid",
        innererror: { code: "ResponsibleAIPolicyViolation" },
      }),
    ],
    ["content_filter", 400, error({ message: "Content Exists Risk" })],
    ["caller", 400, error({ message: "temperature must be below 2", param: "temperature" })],
    ["missing", 403, error({ message: "CachedContent not found (or permission denied)" })],
    [
      "missing",
      403,
      error({
        message: "You do not have permission to access the File abc123 or it may not exist.",
      }),
    ],
    ["missing", 404, error({ message: "Item with id 'rs_68af' not found.", param: "input" })],
    ["missing", 404, error({ message: "No such File object: file-abc123" })],
    [
      "missing",
      404,
      '{"type":"error","error":{"type":"not_found_error","message":"File not found: file_011"}}',
    ],
    [
      "deployment",
      404,
      error({
        message: "models/gemini-x is not found for API version v1beta, or is not supported",
      }),
    ],
    [
      "deployment",
      404,
      error({
        message: "The API deployment for this resource does not exist.",
        code: "DeploymentNotFound",
      }),
    ],
    [
      "deployment",
      403,
      error({
        message: "Project `p` does not have access to model `gpt-x`",
        code: "model_not_found",
      }),
    ],
    ["caller", 422, '{"detail":[{"loc":["body"],"msg":"bad"}]}'],
    ["caller", 413, ""],
    [
      "caller",
      400,
      '{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens"}}',
    ],
  ])("%s: %i %s", (expected, status, body) => {
    expect(readFault(status, none, body).class).toBe(expected);
  });

  test("junk gives a plain message and none of its bytes", () => {
    const { message } = readFault(502, none, "<html><body>secret-page</body></html>");
    expect(message).toBe("The provider answered 502 without a readable error.");
  });

  test("keys are masked, models and request ids stay readable", () => {
    const keys = [
      "sk-abcdefghijklmnop1234",
      "sk-proj-****************wxyz",
      "gsk_a1B2c3D4e5F6g7H8",
      "AIzaSyD-1234567890abcdefghijk",
      "xai-abcdef1234567890abcd",
      "0123456789abcdef0123456789abcdef",
    ];
    for (const key of keys) {
      const { message } = readFault(
        401,
        none,
        error({ message: `Incorrect API key provided: ${key}. Look it up.` }),
      );
      expect(message).not.toContain(key.slice(-6));
      expect(message).toContain("***");
    }
    const plain =
      "The model `claude-haiku-4-5-20251001` is not available (req_011CXyz, 128000 tokens)";
    expect(publicText(plain)).toBe(plain);
  });

  test("no message is longer than 500 characters or has a key in it", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 600 }), fc.string({ maxLength: 600 }), (before, after) => {
        const text = publicText(`${before} sk-live0123456789abcdef ${after}`) ?? "";
        expect(text.length).toBeLessThanOrEqual(500);
        expect(text).not.toContain("live0123456789");
      }),
    );
  });
});

describe("retryAfter", () => {
  test.each([
    [{ "retry-after": "2" }, 2000],
    [{ "retry-after": "0.25" }, 250],
    [{ "retry-after-ms": "125", "retry-after": "9" }, 125],
    [
      { "retry-after": "Sat, 21 Nov 2026 10:00:30 GMT", date: "Sat, 21 Nov 2026 10:00:00 GMT" },
      30_000,
    ],
    [{ "retry-after": "Sat, 21 Nov 2026 09:00:00 GMT", date: "Sat, 21 Nov 2026 10:00:00 GMT" }, 0],
    [{ "retry-after": "Sat, 21 Nov 2026 10:00:30 GMT" }, undefined],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after-ms": "-5", "retry-after": "3" }, 3000],
    [{ "retry-after": "-5" }, undefined],
    // Whoever asks for more than a day means something else, and no header can say 1e+23.
    [{ "retry-after": "99999999999999999999999" }, 86_400_000],
    [
      { "retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", date: "Sat, 21 Nov 2026 10:00:00 GMT" },
      86_400_000,
    ],
    [{}, undefined],
  ])("%o is %s ms", (headers, expected) => {
    expect(retryAfter(new Headers(headers as Record<string, string>))).toBe(expected);
  });

  test("Google's RetryInfo is read out of the body", () => {
    const body = { error: { details: [{ "@type": "x" }, { retryDelay: "34.07s" }] } };
    expect(retryAfter(none, body)).toBe(34_070);
  });
});

describe("our errors", () => {
  const refusal = publicError(
    new GatewayError("budget_exceeded", "Spent.", { members: { budget: { scope: "team" } } }),
  );

  test("speak OpenAI's dialect", () => {
    const { client } = dialectOf("openai-chat");
    const body = {
      error: {
        message: "Spent.",
        type: "budget_exceeded",
        param: null,
        code: "insufficient_quota",
        budget: { scope: "team" },
      },
    };
    expect(client.encodeError(refusal, CONTEXT)).toEqual(body);
    expect(client.encodeStreamError(refusal, CONTEXT, true)).toEqual([
      `data: ${JSON.stringify(body)}\n\n`,
    ]);
  });

  test("speak Anthropic's dialect", () => {
    const { client } = dialectOf("anthropic");
    const body = {
      type: "error",
      error: { type: "rate_limit_error", message: "Spent.", budget: { scope: "team" } },
      request_id: "req-1",
    };
    expect(client.encodeError(refusal, CONTEXT)).toEqual(body);
    expect(client.encodeStreamError(refusal, CONTEXT, true)).toEqual([
      `event: error\ndata: ${JSON.stringify(body)}\n\n`,
    ]);
  });

  test("a guardrail's refusal says its message twice", () => {
    const blocked = publicError(new GatewayError("guardrail_blocked", "No."));
    expect(dialectOf("openai-chat").client.encodeError(blocked, CONTEXT)).toMatchObject({
      detail: "No.",
      error: { message: "No." },
    });
  });
});
