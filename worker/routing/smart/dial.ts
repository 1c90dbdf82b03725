/** How a request weighs quality against what it costs, or against how long it takes. */
export interface Dial {
  /** 0 = cost alone, 10 = quality alone. */
  quality: number;
  /** What is saved on: money, or time. */
  saves: "cost" | "latency";
}

/** The names behind `smart/`: presets of one dial. */
export const PRESETS: Readonly<Record<string, Dial>> = {
  quality: { quality: 8, saves: "cost" },
  balanced: { quality: 5, saves: "cost" },
  fast: { quality: 4, saves: "latency" },
  cheap: { quality: 2, saves: "cost" },
};

const SMART = "smart/";

/** The dial that a model name asks for: a preset, or `smart/0` to `smart/10`; null for any other name. */
export function dialNamed(model: string): Dial | null {
  if (!model.startsWith(SMART)) return null;
  const name = model.slice(SMART.length);
  if (Object.hasOwn(PRESETS, name)) return PRESETS[name] ?? null;
  return /^(?:10|\d)$/.test(name) ? { quality: Number(name), saves: "cost" } : null;
}

/** Names that any organization may call, unless it uses them for a group of its own. */
export const SMART_NAMES: readonly string[] = Object.keys(PRESETS).map((name) => SMART + name);

/** How the tightest budget bends the dial: from its warning on money counts more, and almost alone when it throttles. */
export function bent(dial: Dial, budget: "ok" | "warn" | "throttle" | "block"): Dial {
  if (budget === "ok") return dial;
  const most = budget === "warn" ? Math.max(0, dial.quality - 2) : 1;
  return { quality: Math.min(dial.quality, most), saves: "cost" };
}

/**
 * How far up the hull a prompt belongs, 0–1, by the rank of its need (0–1) among prompts. In the middle of the dial the
 * two are the same; towards quality only the easiest prompts stay below, towards cost only the hardest rise.
 */
export function reach(rank: number, { quality }: Dial): number {
  if (quality <= 0) return 0;
  if (quality >= 10) return 1;
  return rank ** (2 ** ((5 - quality) / 1.5));
}

/** Nano-dollars that one more solved prompt is worth: what a conversation may pay to leave its home model. */
export function worth({ quality }: Dial): number {
  return 100_000_000 * 4 ** ((quality - 5) / 2);
}
