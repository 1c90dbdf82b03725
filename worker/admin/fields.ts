import * as z from "zod";
import { isJsonObject } from "../core/json.ts";
import type { Json } from "../core/json.ts";
import { learningFault } from "../core/learning.ts";
import type { Role } from "../core/principal.ts";
import { isTimeZone } from "../core/windows.ts";
import { addressBlock } from "../policy/authz/addresses.ts";
import { hint } from "../policy/nearest.ts";
import { isDuration } from "./duration.ts";
import { nanoPerThousand } from "./prices.ts";

/** Text that is safe to keep, to show and to compare: no control characters, no halves of characters. */
const isPlain = (text: string) =>
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  text.isWellFormed() && !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text);
const plain = (most: number) =>
  z.string().min(1, "Must not be empty").max(most, `At most ${most} characters`).refine(isPlain, {
    error: "Must be plain text without control characters",
  });

/** A name for people: alias of a team, a key, an organization. */
export const alias = plain(200);
/** An end customer, as requests name one. */
export const customerId = plain(256);
/** An id that a caller chose. */
export const chosenId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9@._+:=-]{0,127}$/, "1 to 128 of A-Z a-z 0-9 @ . _ + : = -")
  .refine((text) => !/^(key|sha256):/.test(text), { error: "Must not begin with key: or sha256:" });
/** An argument that names something; whatever it is, it is only compared. */
export const reference = z.string().min(1, "Must not be empty").max(512, "At most 512 characters");
export const email = z
  .string()
  .max(254, "At most 254 characters")
  .regex(/^[^\s@<>"\\]{1,64}@[^\s@<>"\\]{1,189}$/, "Must be an e-mail address")
  .refine(isPlain, { error: "Must be an e-mail address" });

/** An input whose misspelt members are refused: ignored, `dryrun` would do what `dry_run` is there to prevent. */
export function exactly<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys
            .slice(0, 5)
            .map(
              (name) => `there is no '${name.slice(0, 60)}' here${hint(name, Object.keys(shape))}`,
            )
            .join("; ")
        : undefined,
  });
}

const modelName = plain(256);
/** Allowlist of models; empty = all. `*` and `prefix*` are wildcards. */
export const models = z.array(modelName).max(1000, "At most 1000 models");
export const tags = z.array(plain(128)).max(64, "At most 64 tags");

export const count = z.int().min(0, "Must not be negative");
export const dollars = z
  .number()
  .min(0, "Must not be negative")
  .max(9_000_000, "At most 9,000,000 USD")
  .describe("US dollars");

/** Nesting and size that a stored object may have; it rides along in every isolate that serves the organization. */
const MOST_OBJECT_BYTES = 16_384;
const isSmall = (value: unknown) => JSON.stringify(value).length <= MOST_OBJECT_BYTES;
// Inputs come out of JSON.parse or a query string: every value is JSON already.
const json = z.unknown() as unknown as z.ZodType<Json, Json>;
export const metadata = z
  .record(z.string().max(128, "Names have at most 128 characters").refine(isPlain), json)
  .refine(isSmall, { error: `At most ${MOST_OBJECT_BYTES} characters as JSON` });

/** An organization's, of which `smart_learning` has a meaning. */
export const orgMetadata = metadata.superRefine(({ smart_learning: said = null }, context) => {
  const fault = learningFault(said);
  if (fault === null) return;
  const path = ["smart_learning", ...fault.at];
  context.addIssue({ code: "custom", path, message: fault.message });
});

/** Names that stand for other models. */
export const aliases = z
  .record(modelName, modelName)
  .refine((value) => Object.keys(value).length <= 200, { error: "At most 200 aliases" });

export const duration = z
  .string()
  .refine(isDuration, { error: "Must be <number><unit> with unit s, m, h, d, w or mo, as 30d" });

export const timeZone = z
  .string()
  .max(64, "At most 64 characters")
  .refine(isTimeZone, { error: "Must be a time zone such as Europe/Berlin" })
  .describe("Days, weeks and months of budgets begin at its midnight");

/** What happens as a budget is used up; what is left out stays as usual. */
const tiers = z
  .strictObject({
    warn: z
      .union([z.boolean(), z.number().gt(0, "Must be more than 0").max(1, "At most 1, for 100 %")])
      .optional()
      .describe("Alert at this share of max_budget; true for 0.8, the default"),
    throttle: z
      .boolean()
      .optional()
      .describe("From max_budget on requests go to a cheaper model, up to hard_cap"),
    block: z.boolean().optional().describe("false: a used up budget only alerts"),
    cap_output: z
      .boolean()
      .optional()
      .describe("false: rather than limit the answer's length to what is left, refuse the request"),
  })
  .describe("warn, throttle, block, cap_output");

const MOST_MODELS = 200;
const modelAmount = z.union([dollars, z.string().regex(/^\d{1,7}(\.\d{1,9})?$/), z.null()], {
  error: "Must be an amount of US dollars, or an object of limits",
});
/** Limits of one model; each under the names that clients of the management API use. */
const modelMembers = z.strictObject({
  max_budget: dollars.nullish(),
  budget_limit: dollars.nullish(),
  budget_duration: duration.nullish(),
  time_period: duration.nullish(),
  rpm_limit: count.nullish(),
  rpm: count.nullish(),
  tpm_limit: count.nullish(),
  tpm: count.nullish(),
});

/** Budgets by model name. What could not be enforced is refused: it would be kept, and limit nothing. */
const modelBudgets = metadata
  .refine((models) => Object.keys(models).length <= MOST_MODELS, {
    error: `At most ${MOST_MODELS} models`,
  })
  .check(({ value: models, issues }) => {
    for (const [name, value] of Object.entries(models)) {
      const form = isJsonObject(value) ? modelMembers : modelAmount;
      for (const issue of form.safeParse(value).error?.issues ?? []) {
        const path = [name, ...issue.path];
        issues.push({ ...issue, path, input: value } as z.core.$ZodRawIssue);
      }
    }
  });

const modelCounts = z
  .record(modelName, count)
  .refine((models) => Object.keys(models).length <= MOST_MODELS, {
    error: `At most ${MOST_MODELS} models`,
  });

/** Budget and limits of one scope: kept, and shown by the answers. */
export const LIMITS = {
  max_budget: dollars.nullish(),
  soft_budget: dollars.nullish(),
  budget_duration: duration.nullish().describe("Length of the budget's window: 30d, 1mo"),
  tpm_limit: count.nullish().describe("Tokens per minute"),
  rpm_limit: count.nullish().describe("Requests per minute"),
  max_parallel_requests: count.nullish(),
  model_max_budget: modelBudgets
    .nullish()
    .describe(
      "Budgets by model name: a number of US dollars, or {max_budget, budget_duration, rpm_limit, tpm_limit}",
    ),
  model_rpm_limit: modelCounts
    .nullish()
    .describe("Requests per minute by model name; kept as rpm_limit in model_max_budget"),
  model_tpm_limit: modelCounts
    .nullish()
    .describe("Tokens per minute by model name; kept as tpm_limit in model_max_budget"),
  hard_cap: dollars
    .nullish()
    .describe(
      "Requests are refused here; from max_budget on, where that is given too, they go to a cheaper model",
    ),
  tiers: tiers.nullish(),
  temp_budget_increase: dollars.nullish().describe("On top of max_budget for a while"),
  temp_budget_expiry: z.iso
    .datetime({ offset: true, error: "Must be an RFC 3339 instant" })
    .nullish()
    .describe("Until when; needed with temp_budget_increase"),
};

/** Budget and limits of an object that may take them from a budget with an id. */
export const ATTACHED_LIMITS = {
  ...LIMITS,
  budget_id: reference
    .nullish()
    .describe("A budget of /budget/new: its fields count where they are absent here"),
};

export const allowedIps = z
  .array(
    z
      .string()
      .max(64, "At most 64 characters")
      .transform((text, check) => {
        const block = addressBlock(text);
        if (block !== null) return block;
        check.addIssue({ code: "custom", message: "Must be an IP address or CIDR block" });
        return z.NEVER;
      }),
  )
  .max(256, "At most 256 blocks");

/** Role names of the management API and ours, by the role that they mean. */
const ROLES = {
  proxy_admin: "platform_admin",
  platform_admin: "platform_admin",
  org_admin: "admin",
  admin: "admin",
  team_admin: "team_admin",
  internal_user: "developer",
  developer: "developer",
  proxy_admin_viewer: "auditor",
  auditor: "auditor",
  finance: "finance",
  internal_user_viewer: "viewer",
  internal_viewer: "viewer",
  internal_user_view_only: "viewer",
  viewer: "viewer",
  member: "member",
} as const satisfies Record<string, Role>;

export const ROLE_NAMES = Object.keys(ROLES) as [keyof typeof ROLES, ...(keyof typeof ROLES)[]];

/** The role that a name of the API means. */
export function roleOf(name: keyof typeof ROLES): Role {
  return ROLES[name];
}

/** A price in dollars per token, as whole nano-dollars per 1,000 tokens. */
export const price = z
  .union([z.number(), z.string().max(64, "At most 64 characters")])
  .transform((value, check) => {
    const nano = nanoPerThousand(value);
    if (nano !== null) return nano;
    check.addIssue({
      code: "custom",
      message: "Must be a price in US dollars per token, as 2.5e-06",
    });
    return z.NEVER;
  });

/** Which part of a listing is wanted, out of a query. */
export const PAGE = {
  page: z.coerce.number().int().min(1).max(1_000_000).optional(),
  page_size: z.coerce.number().int().min(1).max(100).optional().describe("10 if absent"),
};

/** The same for calls whose clients know the size by another name. */
export const SIZED_PAGE = {
  ...PAGE,
  size: PAGE.page_size.describe("The same as page_size"),
};

/** The address of a provider's API. */
export const apiBase = z
  .string()
  .max(2048, "At most 2048 characters")
  .nullish()
  .describe("As the vendor's SDK takes it; absent = the provider's own");

/** The organization that a call acts in, where it is not the key's own. */
export const ORG = {
  organization_id: reference
    .nullish()
    .describe("The organization to act in; for the master key. Otherwise the key's own"),
};
