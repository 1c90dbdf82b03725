/** Rows as the documents show them; every operation's example is made of these. */

const MADE = {
  created_by: "master",
  created_at: "2026-11-21T09:00:00.000Z",
  updated_by: "master",
  updated_at: "2026-11-21T09:00:00.000Z",
};

const NO_LIMITS = {
  max_budget: null,
  soft_budget: null,
  budget_duration: null,
  tpm_limit: null,
  rpm_limit: null,
  max_parallel_requests: null,
  model_max_budget: {},
  model_rpm_limit: {},
  model_tpm_limit: {},
  hard_cap: null,
  tiers: null,
  temp_budget_increase: null,
  temp_budget_expiry: null,
  blocks_at_usd: null as number | null,
};

const UNATTACHED = { ...NO_LIMITS, budget_id: null };

const ORG_ID = "org_g4Zk1x9QmT7ab";
const HANDLE = "sha256:3f1c6a9be2d04757a1f0c8d2b94e6f7013a5bc88d9e24f60717c5e3ab2d9f841";

export const ORG_ROW = {
  organization_id: ORG_ID,
  organization_alias: "acme",
  models: ["openai/*"],
  blocked: false,
  default_team_id: "0b2a6c1e-5d3f-4a8e-9b7c-2f1e6d5c4b3a",
  time_zone: "UTC",
  metadata: {},
  ...UNATTACHED,
  max_budget: 5000,
  blocks_at_usd: 5000,
  budget_duration: "1mo",
  ...MADE,
};

export const TEAM_ROW = {
  team_id: "7d9c3b1a-8e6f-4d2c-b1a0-5f4e3d2c1b0a",
  team_alias: "search",
  organization_id: ORG_ID,
  models: ["gpt-4o-mini"],
  blocked: false,
  model_aliases: {},
  tags: [],
  metadata: {},
  ...UNATTACHED,
  max_budget: 250,
  blocks_at_usd: 250,
  budget_duration: "30d",
  ...MADE,
};

export const USER_ROW = {
  user_id: "ada",
  user_email: "ada@example.com",
  user_alias: null,
  user_role: "developer",
  active: true,
  organization_id: ORG_ID,
  models: [],
  metadata: {},
  ...UNATTACHED,
  ...MADE,
};

export const CUSTOMER_ROW = {
  user_id: "shop-4711",
  alias: "Corner shop",
  blocked: false,
  allowed_model_region: null,
  default_model: null,
  team_id: null,
  metadata: {},
  ...UNATTACHED,
  max_budget: 20,
  blocks_at_usd: 20,
  budget_duration: "30d",
  spend: 0,
  ...MADE,
};

export const KEY_ROW = {
  token: HANDLE,
  token_id: HANDLE,
  key_name: "sk-…x7Qe",
  key_alias: "search-prod",
  key_type: "default",
  expires: "2027-02-19T09:00:00.000Z",
  models: ["gpt-4o-mini"],
  aliases: {},
  team_id: TEAM_ROW.team_id,
  user_id: null,
  organization_id: ORG_ID,
  allowed_ips: ["10.0.0.0/8"],
  blocked: false,
  tags: [],
  policy_id: null,
  router_settings: {},
  metadata: {},
  ...UNATTACHED,
  grace_until: null,
  ...MADE,
};

export const MODEL_ROW = {
  model_name: "gpt-4o-mini",
  litellm_params: {
    model: "openai/gpt-4o-mini",
    api_base: "https://api.openai.com/v1",
    api_key: "…x7Qe",
    weight: 1,
    order: 0,
    tags: [],
  },
  model_info: {
    id: "c41d7f0e-2b5a-4e63-9d8c-7a6b5c4d3e2f",
    db_model: true,
    mode: "chat",
    litellm_provider: "openai",
    max_input_tokens: 128000,
    input_cost_per_token: 1.5e-7,
    output_cost_per_token: 6e-7,
    ...MADE,
  },
};

export const PAGE_ROW = { page: 1, page_size: 10, total: 1, total_pages: 1 };

export const INVITATION_ROW = {
  id: "4Vb0cQ2mXhT8",
  invitation_id: "4Vb0cQ2mXhT8",
  user_email: "ada@example.com",
  user_role: "developer",
  team_id: TEAM_ROW.team_id,
  team_role: "user",
  status: "open",
  is_accepted: false,
  accepted_at: null,
  expires_at: "2026-11-28T09:00:00.000Z",
  user_id: null,
  ...MADE,
};

const METRICS = {
  spend: 0.0123,
  prompt_tokens: 1200,
  completion_tokens: 340,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
  total_tokens: 1540,
  successful_requests: 12,
  failed_requests: 0,
  api_requests: 12,
};

export const ACTIVITY_ROW = {
  results: [
    {
      date: "2026-11-21",
      metrics: METRICS,
      breakdown: {
        models: { "gpt-4o-mini": { metrics: METRICS, metadata: {} } },
        model_groups: { "gpt-4o-mini": { metrics: METRICS, metadata: {} } },
        providers: { openai: { metrics: METRICS, metadata: {} } },
        api_keys: { [HANDLE]: { metrics: METRICS, metadata: { key_alias: "search-prod" } } },
        entities: {
          [TEAM_ROW.team_id]: { metrics: METRICS, metadata: { team_alias: "search" } },
        },
      },
    },
  ],
  metadata: {
    total_spend: 0.0123,
    total_prompt_tokens: 1200,
    total_completion_tokens: 340,
    total_cache_read_input_tokens: 0,
    total_cache_creation_input_tokens: 0,
    total_tokens: 1540,
    total_successful_requests: 12,
    total_failed_requests: 0,
    total_api_requests: 12,
    page: 1,
    page_size: 50,
    total: 1,
    total_pages: 1,
    has_more: false,
    start_date: "2026-11-01",
    end_date: "2026-11-21",
  },
};

export const BUDGET_ROW = {
  budget_id: "b_7Qm2xZ",
  route: null,
  ...NO_LIMITS,
  max_budget: 100,
  budget_duration: "1mo",
  blocks_at_usd: 100,
  ...MADE,
  attached_to: [
    {
      scope: "team",
      id: "7d9c3b1a-8e6f-4d2c-b1a0-5f4e3d2c1b0a",
      spent_usd: "41.2",
      reserved_usd: "0.35",
      state: "ok",
      reset_at: "2026-12-01T00:00:00.000Z",
    },
  ],
};
