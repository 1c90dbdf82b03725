import type { Json, JsonObject } from "./json.ts";

/** Weighed successes and failures. */
export interface Tally {
  good: number;
  bad: number;
}

/** What an organization has seen of one model group. */
export interface Arm {
  all: Tally;
  /** By task. */
  tasks: Record<string, Tally>;
  /** Page–Hinkley's sum: how long and how far rewards have lain below what was expected. */
  drift: number;
}

/** Everything learned; plain data, kept and sent as JSON. The same lessons in the same order give the same state. */
export interface Learned {
  /** Grows with each batch that was folded in. */
  version: number;
  arms: Record<string, Arm>;
}

/** What the form of an answer says, without a judge: true holds, false is broken, null says nothing. */
export interface Signs {
  /** It ended for want of tokens although the caller had not asked for few. */
  truncated: boolean;
  /** Every tool call is one of the caller's tools, with arguments that fit its schema. */
  calls: boolean | null;
  /** The answer is JSON, and fits the schema, where that was asked. */
  form: boolean | null;
}

/** A request that was routed while learning is on: who may judge it, and what it says about by being asked again. */
export interface Observation {
  callId: string;
  group: string;
  task: string;
  keyId: string | null;
  teamId: string | null;
  /** The same for the same question in the same conversation; null where others may ask the same. */
  turn: number | null;
  /** Absent where the answer was not looked at. */
  signs?: Signs;
}

/** A judgement of one request. */
export interface Judgement {
  callId: string;
  /** 0–1; null where only a model was chosen: 1 if that one answered, else 0. */
  reward: number | null;
  /** The model group that the judge prefers at this task: the one that answered, or another. */
  chosen?: string;
  /** Whose calls may be judged: those of this key or team; `any` for an administrator. */
  by: { keyId: string | null; teamId: string | null; any: boolean };
}

/** `known`: judged before, the first judgement counts. `absent`: not seen, too old, or not the judge's. */
export type Judged = "learned" | "known" | "absent";

/** A state that can be read again, and when it was made, Unix milliseconds. */
export interface LearnedVersion {
  version: number;
  at: number;
}

/** The object that learns for one organization. */
export interface LearningObjectPort {
  /** Takes requests in that may be judged later. */
  observe(rows: Observation[]): Promise<void>;
  /** Learns from a judgement, once a request. */
  judge(judgement: Judgement): Promise<Judged>;
  /** The present state, or the one of an earlier version; null where that is not kept. */
  snapshot(version: number | null): Promise<Learned | null>;
  /** The versions that are kept, the newest first. */
  versions(): Promise<LearnedVersion[]>;
  /** Makes a new version that knows what an earlier one did, and answers its number; null where that is not kept. */
  revert(version: number): Promise<number | null>;
}

/** Learning as the path and the operations see it. Nothing here makes a warm request wait but `judge`. */
export interface LearningPort {
  /**
   * Null where this isolate has a copy. Else the wait for the first one, of a second at most: without it the first
   * requests of each new isolate would be decided as if nothing were learned.
   */
  ready(orgId: string, version: number | null): Promise<void> | null;
  /** The newest copy of this isolate, null before there is one; asks for a newer one in the background. */
  learned(orgId: string, version: number | null): Learned | null;
  /** Tells of a request behind it; what can't be told is lost. */
  observe(orgId: string, row: Observation): void;
  /** Waits for the object, since a judge is told what became of it. */
  judge(orgId: string, judgement: Judgement): Promise<Judged>;
}

/** An isolate's copy of what an organization has learned. */
export interface LearnedCopy {
  learned: Learned | null;
  /** Unix milliseconds at which the copy was asked for, and at which a request for it is under way. */
  at: number;
  flightAt: number | null;
  /** When it last could not be had. */
  failedAt: number | null;
}

/** How an organization learns: nothing unless its `metadata.smart_learning` says so. */
export interface LearningSettings {
  /** Share of conversations that may try another model, at most 0.05. */
  exploration: number;
  /** A version to decide by, frozen; null = the newest. */
  version: number | null;
}

const MOST_EXPLORATION = 0.05;

/** Reads `smart_learning`: true, or `{exploration?, version?}`; anything else is off. */
export function learningSettings(metadata: JsonObject): LearningSettings | null {
  const said = metadata["smart_learning"];
  if (said === true) return { exploration: MOST_EXPLORATION, version: null };
  if (typeof said !== "object" || said === null || Array.isArray(said)) return null;
  const { exploration, version, enabled } = said;
  if (enabled === false) return null;
  const share =
    typeof exploration === "number" && exploration >= 0 ? exploration : MOST_EXPLORATION;
  return {
    exploration: Math.min(MOST_EXPLORATION, share),
    version: typeof version === "number" && Number.isSafeInteger(version) ? version : null,
  };
}

const MEMBERS = ["enabled", "exploration", "version"];

/** What is wrong with a `smart_learning` that somebody sets, and where in it; null = nothing. */
export function learningFault(said: Json): { at: string[]; message: string } | null {
  if (typeof said === "boolean" || said === null) return null;
  if (typeof said !== "object" || Array.isArray(said)) {
    return { at: [], message: "Must be true, false or an object with exploration and version" };
  }
  const other = Object.keys(said).find((name) => !MEMBERS.includes(name));
  if (other !== undefined) return { at: [], message: `Has only ${MEMBERS.join(", ")}` };
  const { enabled, exploration, version } = said;
  if (enabled !== undefined && typeof enabled !== "boolean") {
    return { at: ["enabled"], message: "Must be true or false" };
  }
  const share = typeof exploration === "number" && exploration >= 0;
  if (exploration != null && !(share && exploration <= MOST_EXPLORATION)) {
    return { at: ["exploration"], message: `Must be a share from 0 to ${MOST_EXPLORATION}` };
  }
  const whole = typeof version === "number" && Number.isSafeInteger(version) && version >= 0;
  if (version != null && !whole) {
    return { at: ["version"], message: "Must be the number of a version, or null for the newest" };
  }
  return null;
}
