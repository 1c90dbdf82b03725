import * as z from "zod";
import { shownOrgId } from "../core/ids.ts";
import { usdNumber } from "../core/money.ts";
import { DAY_MS, utcDay } from "../core/time.ts";
import { keyHandle } from "../store/key-token.ts";
import { keyNames, type Names } from "../store/names.ts";
import {
  usageByDay,
  usageByPart,
  type UsageDimension,
  type UsageOfDays,
  type UsageSums,
} from "../store/usage-days.ts";
import type { AdminContext } from "./context.ts";
import { invalidField } from "./faults.ts";
import { ORG, reference } from "./fields.ts";

/** Days that a question spans if it says no beginning, and at most. */
const USUAL_DAYS = 30;
const MOST_DAYS = 366;
const PAGE_DAYS = 50;
/** Of each day and kind so many parts are shown, the dearest ones. */
const MOST_PARTS = 200;

const day = z.iso.date({ error: "Must be a day, as 2026-11-21" });
const page = (most: number) => z.coerce.number().int().min(1).max(most);

/** `a,b`, or a JSON list where a name may hold a comma. */
export const nameList = z
  .string()
  .max(8192, "At most 8192 characters")
  .transform((text, check): string[] => {
    const names = listed(text);
    const fits = names.length > 0 && names.length <= 100 && names.every((name) => name !== "");
    if (fits) return [...new Set(names)];
    check.addIssue({ code: "custom", message: "Must be 1 to 100 names, joined by commas" });
    return z.NEVER;
  });

function listed(text: string): string[] {
  if (!text.startsWith("[")) return text.split(",").map((name) => name.trim());
  try {
    const names: unknown = JSON.parse(text);
    const texts = Array.isArray(names) && names.every((name) => typeof name === "string");
    return texts ? names : [];
  } catch {
    return [];
  }
}

/** What every question about activity may say. */
export const ACTIVITY = {
  ...ORG,
  start_date: day.optional().describe(`UTC day; ${USUAL_DAYS} days up to end_date if absent`),
  end_date: day.optional().describe("UTC day, inclusive; today if absent"),
  model: reference.optional().describe("A model or a model group"),
  api_key: reference.optional().describe("A key, its handle, or its alias"),
  page: page(1_000_000).optional(),
  page_size: page(1000).optional().describe(`Days that saw use on a page; ${PAGE_DAYS} if absent`),
};

const metricsShape = z.object({
  spend: z.number().describe("US dollars"),
  prompt_tokens: z.number(),
  completion_tokens: z.number(),
  cache_read_input_tokens: z.number(),
  cache_creation_input_tokens: z.number(),
  total_tokens: z.number(),
  successful_requests: z.number(),
  failed_requests: z.number(),
  api_requests: z.number(),
});
const partsShape = z.record(
  z.string(),
  z.object({ metrics: metricsShape, metadata: z.record(z.string(), z.unknown()) }),
);

export const activityShape = z.object({
  results: z.array(
    z.object({
      date: z.string(),
      metrics: metricsShape,
      breakdown: z.object({
        models: partsShape,
        model_groups: partsShape,
        providers: partsShape,
        api_keys: partsShape,
        entities: partsShape,
      }),
    }),
  ),
  metadata: z.object({
    total_spend: z.number(),
    total_prompt_tokens: z.number(),
    total_completion_tokens: z.number(),
    total_cache_read_input_tokens: z.number(),
    total_cache_creation_input_tokens: z.number(),
    total_tokens: z.number(),
    total_successful_requests: z.number(),
    total_failed_requests: z.number(),
    total_api_requests: z.number(),
    page: z.number(),
    page_size: z.number(),
    total: z.number().describe("Days that saw use"),
    total_pages: z.number(),
    has_more: z.boolean(),
    start_date: z.string(),
    end_date: z.string(),
  }),
});

type Activity = z.input<typeof activityShape>;
type Parts = z.input<typeof partsShape>;

/** The days that a question is about. */
export function daysOf(
  asked: { start_date?: string; end_date?: string },
  now: number,
): { from: string; to: string } {
  const to = asked.end_date ?? utcDay(now);
  const end = Date.parse(to);
  const from = asked.start_date ?? utcDay(end - (USUAL_DAYS - 1) * DAY_MS);
  const span = (end - Date.parse(from)) / DAY_MS + 1;
  if (span < 1) throw invalidField(["start_date"], "Must not lie after end_date", "query");
  if (span > MOST_DAYS) {
    throw invalidField(["start_date"], `At most ${MOST_DAYS} days up to end_date`, "query");
  }
  return { from, to };
}

interface Question {
  orgIds: readonly string[];
  of: UsageOfDays;
  entity: UsageDimension;
  /** Says of entities what people call them. */
  namesOf: (ids: string[]) => Promise<Names>;
  page?: number;
  page_size?: number;
}

/** Daily sums and their parts, out of what the ledgers debited; they follow it within seconds. */
export async function activity(ctx: AdminContext, question: Question): Promise<Activity> {
  const { db } = ctx.deps;
  const { orgIds, of } = question;
  const days = await usageByDay(db, orgIds, of);
  const size = question.page_size ?? PAGE_DAYS;
  const number = question.page ?? 1;
  const pages = Math.ceil(days.length / size);
  const shown = days.slice((number - 1) * size, number * size);
  const span = { ...of, from: shown.at(-1)?.day ?? of.to, to: shown[0]?.day ?? of.to };
  const split = async (dimension: UsageDimension) =>
    shown.length === 0 ? [] : usageByPart(db, orgIds, span, dimension, MOST_PARTS);
  const [models, groups, providers, keys, entities] = await Promise.all([
    split("model"),
    split("group"),
    split("provider"),
    split("key"),
    split(question.entity),
  ]);
  const [keyed, named] = await Promise.all([
    keyNames(
      db,
      orgIds,
      idsIn(keys).map((id) => placeOf(id).keyId),
    ),
    question.namesOf(idsIn(entities)),
  ]);
  return {
    results: shown.map((each) => ({
      date: each.day,
      metrics: metricsOf(each),
      breakdown: {
        models: partsOn(each.day, models),
        model_groups: partsOn(each.day, groups),
        providers: partsOn(each.day, providers),
        api_keys: partsOn(each.day, keys, {
          shown: (id) => keyHandle(placeOf(id)),
          told: (id) => keyed.get(placeOf(id).keyId),
        }),
        entities: partsOn(each.day, entities, {
          shown: question.entity === "organization" ? shownOrgId : (id) => id,
          told: (id) => named.get(id),
        }),
      },
    })),
    metadata: {
      ...totalsOf(days),
      page: number,
      page_size: size,
      total: days.length,
      total_pages: pages,
      has_more: number < pages,
      start_date: of.from,
      end_date: of.to,
    },
  };
}

type Part = UsageSums & { day: string; name: string };

function idsIn(parts: Part[]): string[] {
  return [...new Set(parts.map((each) => each.name).filter((name) => name !== ""))];
}

/** The places of a key, out of `<org>/<key>`. */
function placeOf(name: string): { orgId: string; keyId: string } {
  const [orgId = "", keyId = ""] = name.split("/");
  return { orgId, keyId };
}

interface Legend {
  shown: (id: string) => string;
  told: (id: string) => Record<string, string | null> | undefined;
}

/** What has no name at all is left out: a request without a customer belongs to none. */
function partsOn(date: string, parts: Part[], legend?: Legend): Parts {
  return Object.fromEntries(
    parts
      .filter((each) => each.day === date && each.name !== "")
      .map((each) => [
        legend?.shown(each.name) ?? each.name,
        { metrics: metricsOf(each), metadata: legend?.told(each.name) ?? {} },
      ]),
  );
}

function metricsOf(sums: UsageSums): z.input<typeof metricsShape> {
  return {
    spend: usdNumber(sums.cost),
    prompt_tokens: sums.promptTokens,
    completion_tokens: sums.completionTokens,
    cache_read_input_tokens: sums.cacheReadTokens,
    cache_creation_input_tokens: sums.cacheWriteTokens,
    total_tokens: sums.tokens,
    successful_requests: sums.successes,
    failed_requests: sums.failures,
    api_requests: sums.requests,
  };
}

function totalsOf(days: UsageSums[]) {
  const sum = (member: keyof UsageSums) => days.reduce((all, each) => all + each[member], 0);
  return {
    total_spend: usdNumber(sum("cost")),
    total_prompt_tokens: sum("promptTokens"),
    total_completion_tokens: sum("completionTokens"),
    total_cache_read_input_tokens: sum("cacheReadTokens"),
    total_cache_creation_input_tokens: sum("cacheWriteTokens"),
    total_tokens: sum("tokens"),
    total_successful_requests: sum("successes"),
    total_failed_requests: sum("failures"),
    total_api_requests: sum("requests"),
  };
}
