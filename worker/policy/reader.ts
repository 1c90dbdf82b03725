import type { ChatRequest } from "../core/chat.ts";
import type { Extensions, Identity } from "../core/call.ts";
import { REGIONS, type RegionLetter } from "../core/ids.ts";
import type { Json } from "../core/json.ts";
import { usdNumber } from "../core/money.ts";
import type { BudgetStanding, DetectedSignal, Detectors, SignalValue } from "../core/policy.ts";
import type { Calendar } from "./calendar.ts";
import { hasCode, languageOf, modalitiesOf, toolNames } from "./content.ts";
import type { ReadSignal } from "./evaluate.ts";
import { scheduleSignal } from "./scheduled.ts";
import { isTooLong, LABEL, MOST_TEXT, MOST_TEXTS } from "./signals.ts";

/** What signals are read from; whatever costs something is a function that is called when a policy comes to it. */
export interface SignalSources {
  identity: Identity;
  chat: ChatRequest;
  extensions: Pick<Extensions, "customerId" | "tags" | "metadata">;
  /** By name in lower case, credentials left out. */
  headers: Record<string, string>;
  endpoint: string;
  country?: string | undefined;
  detectors: Detectors;
  /** How the tightest budget stands; undefined where there is none. */
  standing: () => BudgetStanding | undefined;
  tokens: () => number;
  /** USD; null where no price is known. */
  estimate: () => number | null;
}

/**
 * The signals of one request, each read when a policy comes to it and at most once. Null is absent;
 * undefined is unknown, because what would tell is off.
 */
export function readerOf(sources: SignalSources, now: number, calendar: Calendar): ReadSignal {
  const known = new Map<string, SignalValue | undefined>();
  const reader = new Reader(sources);
  return (name) => {
    if (known.has(name)) return known.get(name);
    const value = scheduleSignal(name, now, calendar) ?? reader.read(name);
    known.set(name, value);
    return value;
  };
}

class Reader {
  readonly #from: SignalSources;
  #standing: BudgetStanding | null | undefined;

  constructor(from: SignalSources) {
    this.#from = from;
  }

  read(name: string): SignalValue | undefined {
    const { identity, chat, extensions, headers } = this.#from;
    const { principal, shared, key, team } = identity;
    const { org } = shared;
    if (name.startsWith("header.")) return clipped(own(headers, name.slice("header.".length)));
    if (name.startsWith("metadata.")) return this.#metadata(name.slice("metadata.".length));
    const set = (member: string): string | null =>
      label(key?.metadata[member]) ?? label(team?.metadata[member]);
    switch (name) {
      case "identity.workspace":
        return org.alias;
      case "identity.team_id":
        return principal.teamId ?? org.defaultTeamId ?? null;
      case "identity.user_id":
        return principal.userId ?? null;
      case "identity.key_id":
        return principal.keyId ?? null;
      case "identity.customer_id":
        return extensions.customerId ?? null;
      case "identity.role":
        return principal.role;
      case "identity.groups":
        return this.#groups();
      case "identity.plan":
        return label(org.metadata["plan"]);
      // What an administrator set on a key or team can't be talked away by a caller.
      case "identity.cost_center":
        return (
          named(key?.metadata["cost_center"]) ??
          named(team?.metadata["cost_center"]) ??
          clipped(headers["x-routero-cost-center"])
        );
      case "identity.auth_method":
        return principal.kind;
      case "identity.region":
        return set("region") ?? label(headers["x-routero-region"]);
      case "region.country":
        return this.#from.country ?? null;
      case "region.residency":
        return label(org.metadata["residency"]);
      case "region.fedramp":
        return this.#home() === "fedramp";
      case "region.gateway":
        return this.#home();
      case "content.has_code":
        return hasCode(chat);
      case "content.language":
        return languageOf(chat);
      case "content.input_tokens":
        return this.#from.tokens();
      case "content.data_class":
        return label(headers["x-routero-data-class"]) ?? label(extensions.metadata["data_class"]);
      case "content.modalities":
        return modalitiesOf(chat);
      case "content.tools":
        return this.#tools();
      case "content.model":
        return chat.model.slice(0, 256);
      case "content.endpoint":
        return this.#from.endpoint;
      default:
        return name.startsWith("budget.") ? this.#budget(name) : this.#detected(name);
    }
  }

  #home(): string {
    return REGIONS[this.#from.identity.principal.orgId[0] as RegionLetter] ?? "global";
  }

  #groups(): string[] | null {
    const { key, team } = this.#from.identity;
    const listed = key?.metadata["groups"];
    const own = Array.isArray(listed) ? listed.filter((each) => typeof each === "string") : [];
    const groups = [...new Set([...(team === null ? [] : [team.alias]), ...own])];
    return groups.length === 0 ? null : groups.slice(0, 100).map((each) => each.slice(0, 256));
  }

  /** Cut short, a list would hide what stands behind the cut: more names than a policy can look at are unknown. */
  #tools(): string[] | null | undefined {
    const names = toolNames(this.#from.chat);
    return isTooLong(names) ? undefined : names;
  }

  #metadata(member: string): SignalValue {
    const { metadata, tags } = this.#from.extensions;
    if (member === "tags") return tags.length === 0 ? null : tags;
    return plain(own(metadata, member));
  }

  #detected(name: string): SignalValue | undefined {
    return this.#from.detectors[name as DetectedSignal]?.(this.#from.chat);
  }

  #budget(name: string): SignalValue | undefined {
    if (name === "budget.estimated_cost_usd") return this.#from.estimate();
    this.#standing ??= this.#from.standing() ?? null;
    const standing = this.#standing;
    // No budget over this request: nothing remains and nothing is used up.
    if (standing === null) return null;
    switch (name) {
      case "budget.remaining_pct":
        return standing.remainingPct;
      case "budget.remaining_usd":
        return usdNumber(standing.remaining);
      case "budget.state":
        return standing.state;
      case "budget.scope":
        return standing.scope;
      case "budget.resets_in_s":
        return standing.resetsInS;
      default:
        return undefined;
    }
  }
}

/** A member of what a caller sent; names such as `constructor`, which every object has, are none. */
function own<Value>(from: Record<string, Value>, name: string): Value | undefined {
  return Object.hasOwn(from, name) ? from[name] : undefined;
}

/** A label in lower case; null for anything that is none. */
function label(value: Json | undefined): string | null {
  if (typeof value !== "string") return null;
  const lower = value.trim().toLowerCase();
  return LABEL.test(lower) ? lower : null;
}

/** What an administrator names something by, as it was written; a number is taken for its digits. */
function named(value: Json | undefined): string | null {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value.slice(0, MOST_TEXT) : null;
}

function clipped(value: string | undefined): string | null {
  return value === undefined ? null : value.slice(0, MOST_TEXT);
}

/** A member of the metadata as a signal: scalars and lists of texts; anything else is absent. */
function plain(value: Json | undefined): SignalValue {
  if (typeof value === "string") return value.slice(0, MOST_TEXT);
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (!Array.isArray(value)) return null;
  let left = MOST_TEXTS;
  return value
    .filter((each) => typeof each === "string")
    .slice(0, 100)
    .map((each) => {
      const text = each.slice(0, Math.min(MOST_TEXT, left));
      left -= text.length;
      return text;
    });
}
