import type { DetectedSignal } from "../core/policy.ts";

/** What a document may speak of in the organization that it is for. Offline, what can't be known is null. */
export interface Known {
  /** True for a name that serves: a model group, a smart alias, a provider's model. Null: not checked. */
  serves: ((name: string) => boolean) | null;
  /** Names of groups, to find the nearest of a misspelt one. */
  groups: readonly string[];
  providers: readonly string[];
  /** True for what a deployment here, or one that a request may name, is called as a group or model. Null: not checked. */
  bears: ((name: string) => boolean) | null;
  /** True for a feature object that exists. Null: not checked. */
  hasFeature: ((field: string, id: string) => boolean) | null;
  /** Signals whose detectors are on. Null: not checked, as if all were. */
  detectors: readonly DetectedSignal[] | null;
  /** Channels by which a rule's alerts reach somebody. Null: not checked. */
  channels: readonly string[] | null;
  /** Days for which every record of the audit log is kept anyway. Null: not checked. */
  retentionDays: number | null;
  /** Where the organization lives: `global`, `eu`, `fedramp`. Null: not checked. */
  gateway: string | null;
  /** Names of the place where the document is published, the usual one first; no team for the organization's. Null: not checked. */
  names: { workspace: readonly string[]; team: readonly string[] | null } | null;
  /** False where nobody tells the gateway in which country a caller is. */
  country: boolean;
  /** False where nothing redacts requests, so that no redaction can fail. */
  redacts: boolean;
  /** A team's document stands under the organization's. */
  team: boolean;
}

/** Without an organization: the language alone is checked. */
export const OFFLINE: Known = {
  serves: null,
  groups: [],
  providers: [],
  bears: null,
  hasFeature: null,
  detectors: null,
  channels: null,
  retentionDays: null,
  gateway: null,
  names: null,
  country: true,
  redacts: true,
  team: false,
};
