/** How a provider says no, in its own words as its documentation and its servers give them. */
export interface Refusal {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
}

/** What every provider may refuse; absent where its protocol has no such refusal. */
export interface Refusals {
  credential: Refusal;
  access: Refusal;
  limit: Refusal;
  /** Milliseconds that `limit` asks to wait; absent where it says nothing. */
  wait?: number;
  filter?: Refusal;
  window: Refusal;
  server: Refusal;
}

/** Part of every refusal that quotes a credential, as some providers do; no caller may see it. */
export const LEAKED = "AbCdEf0123456789GhIjKl";

const google = (code: number, status: string, message: string, details: unknown[] = []) => ({
  error: { code, message, status, details },
});
const openai = (message: string, type: string | null, code: string | null, more = {}) => ({
  error: { message, type, param: null, code, ...more },
});
const errorInfo = (reason: string) => ({
  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
  reason,
  domain: "googleapis.com",
});
const aws = (status: number, kind: string, message: string): Refusal => ({
  status,
  headers: { "x-amzn-errortype": `${kind}:http://internal.amazon.com/coral/com.amazon.bedrock/` },
  body: { message },
});

const azureFilter = {
  error: {
    message:
      "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.",
    type: null,
    param: "prompt",
    code: "content_filter",
    status: 400,
    innererror: {
      code: "ResponsibleAIPolicyViolation",
      content_filter_result: { violence: { filtered: true, severity: "high" } },
    },
  },
};

const bedrock: Refusals = {
  credential: aws(
    403,
    "UnrecognizedClientException",
    `The security token AKIA${LEAKED} included in the request is invalid.`,
  ),
  access: aws(
    403,
    "AccessDeniedException",
    "You don't have access to the model with the specified model ID.",
  ),
  limit: aws(429, "ThrottlingException", "Too many requests, please wait before trying again."),
  window: aws(400, "ValidationException", "Input is too long for requested model."),
  server: aws(500, "InternalServerException", "The system encountered an unexpected error."),
};

export const REFUSALS: Readonly<Record<string, Refusals>> = {
  "openai-responses": {
    credential: {
      status: 401,
      body: openai(
        `Incorrect API key provided: sk-proj-${LEAKED}. You can find your API key in your account.`,
        "invalid_request_error",
        "invalid_api_key",
      ),
    },
    access: {
      status: 403,
      body: openai(
        "Project `proj_1` does not have access to model `gpt-x`",
        "invalid_request_error",
        "model_not_found",
      ),
    },
    limit: {
      status: 429,
      headers: { "retry-after": "7" },
      body: openai(
        "Rate limit reached for gpt-x: Limit 3, Used 3.",
        "requests",
        "rate_limit_exceeded",
      ),
    },
    wait: 7000,
    filter: {
      status: 400,
      body: openai(
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        "invalid_request_error",
        "invalid_prompt",
      ),
    },
    window: {
      status: 400,
      body: openai(
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "invalid_request_error",
        "context_length_exceeded",
        { param: "input" },
      ),
    },
    server: {
      status: 500,
      body: openai("The server had an error while processing your request.", "server_error", null),
    },
  },
  azure: {
    credential: {
      status: 401,
      body: {
        error: {
          code: "401",
          message: `Access denied due to invalid subscription key ${LEAKED} or wrong API endpoint.`,
        },
      },
    },
    access: {
      status: 403,
      body: {
        error: {
          code: "403",
          message: "Access denied due to Virtual Network/Firewall rules.",
        },
      },
    },
    limit: {
      status: 429,
      headers: { "retry-after-ms": "2500", "retry-after": "3" },
      body: {
        error: {
          code: "429",
          message: "Requests have exceeded the call rate limit. Please retry after 3 seconds.",
        },
      },
    },
    wait: 2500,
    filter: { status: 400, body: azureFilter },
    window: {
      status: 400,
      body: openai(
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
        "invalid_request_error",
        "context_length_exceeded",
      ),
    },
    server: { status: 500, body: { error: { code: "500", message: "Internal server error." } } },
  },
  gemini: {
    credential: {
      status: 400,
      body: google(400, "INVALID_ARGUMENT", `API key AIzaSy${LEAKED} not valid.`, [
        errorInfo("API_KEY_INVALID"),
      ]),
    },
    access: {
      status: 403,
      body: google(403, "PERMISSION_DENIED", "Your project has been denied access."),
    },
    limit: {
      status: 429,
      body: google(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota for requests per minute.",
        [
          {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            violations: [{ quotaId: "GenerateRequestsPerMinutePerProjectPerModel" }],
          },
          { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "34.07s" },
        ],
      ),
    },
    wait: 34_070,
    window: {
      status: 400,
      body: google(
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
      ),
    },
    server: { status: 503, body: google(503, "UNAVAILABLE", "The model is overloaded.") },
  },
  vertex_ai: {
    credential: {
      status: 401,
      body: [
        google(401, "UNAUTHENTICATED", `Invalid credentials: ya29.${LEAKED}.`, [
          errorInfo("ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        ]),
      ],
    },
    access: {
      status: 403,
      body: google(
        403,
        "PERMISSION_DENIED",
        "Permission 'aiplatform.endpoints.predict' denied on resource.",
      ),
    },
    limit: {
      status: 429,
      body: google(429, "RESOURCE_EXHAUSTED", "Resource exhausted, please try again later."),
    },
    window: {
      status: 400,
      body: google(
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
      ),
    },
    server: { status: 500, body: google(500, "INTERNAL", "Internal error encountered.") },
  },
  bedrock,
  bedrock_anthropic: bedrock,
  cohere: {
    credential: { status: 401, body: { id: "e1", message: `invalid api token: ${LEAKED}` } },
    access: { status: 403, body: { id: "e1", message: "no access to this model" } },
    limit: {
      status: 429,
      headers: { "retry-after": "4" },
      body: {
        id: "e1",
        message: "You are using a Trial key, which is limited to 20 calls / minute.",
      },
    },
    wait: 4000,
    window: {
      status: 400,
      body: {
        id: "e1",
        message:
          "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
      },
    },
    server: { status: 500, body: { id: "e1", message: "internal server error" } },
  },
  ollama: {
    credential: { status: 401, body: { error: `unauthorized: token ${LEAKED}` } },
    access: { status: 403, body: { error: "this model requires a subscription" } },
    limit: { status: 429, headers: { "retry-after": "2" }, body: { error: "too many requests" } },
    wait: 2000,
    window: { status: 400, body: { error: "the input length exceeds the context length" } },
    server: {
      status: 503,
      body: { error: "server busy, please try again.  maximum pending requests exceeded" },
    },
  },
};

/** What each kind of refusal has to become for callers (PROTOCOLS 6 to 8). */
export const BECOMES = {
  credential: { class: "deployment", status: 502, type: "upstream_error", code: "upstream_auth" },
  access: { class: "deployment", status: 502, type: "upstream_error", code: "upstream_auth" },
  limit: {
    class: "rate_limit",
    status: 503,
    type: "upstream_error",
    code: "no_healthy_deployment",
  },
  filter: {
    class: "content_filter",
    status: 400,
    type: "invalid_request_error",
    code: "content_policy_violation",
  },
  window: {
    class: "context_window",
    status: 400,
    type: "invalid_request_error",
    code: "context_length_exceeded",
  },
  server: {
    class: "transient",
    status: 503,
    type: "upstream_error",
    code: "no_healthy_deployment",
  },
} as const;
