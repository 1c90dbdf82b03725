/**
 * Draws docs/smart-router/*.svg: the held-out curves that training measured, and online learning on the same rows.
 *
 *     ROUTERO_TEST_DATA=… node scripts/smart/plots.ts
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outcomes } from "./data.ts";
import { simulate, type Change, type Run } from "./simulate.ts";

const root = join(import.meta.dirname, "../..");
const folder = join(root, "docs/smart-router");
mkdirSync(folder, { recursive: true });

interface Line {
  name: string;
  color: string;
  points: [x: number, y: number][];
}

const COLORS = { smart: "#c2410c", length: "#0369a1", keywords: "#4d7c0f", random: "#9ca3af" };

/** Round values that a range is read by, four to eight of them; the first lies at or below it, the last at or above. */
function ticks(low: number, high: number): number[] {
  const raw = (high - low) / 6 || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 2.5, 5, 10].find((each) => each * power >= raw) ?? 10);
  const count = Math.ceil(high / step) - Math.floor(low / step);
  return Array.from({ length: count + 1 }, (_, at) => (Math.floor(low / step) + at) * step);
}

/** Heights of labels that keep their order and stand at least 16 apart. */
function apart(heights: readonly number[]): number[] {
  const placed = [...heights];
  const order = heights
    .map((_, at) => at)
    .toSorted((a, b) => (heights[a] ?? 0) - (heights[b] ?? 0));
  for (const [rank, at] of order.entries()) {
    const above = placed[order[rank - 1] ?? -1] ?? -Infinity;
    placed[at] = Math.max(placed[at] ?? 0, above + 16);
  }
  return placed;
}

function chart(title: string, axes: { x: string; y: string }, lines: readonly Line[]): string {
  const longest = Math.max(...lines.map(({ name }) => name.length));
  const [width, height, left, bottom, top] = [620, 360, 62, 46, 36];
  const right = 24 + longest * 7;
  const xs = ticks(0, Math.max(...lines.flatMap(({ points }) => points.map(([x]) => x))));
  const all = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const ys = ticks(Math.min(...all), Math.max(...all));
  const [x1, y0, y1] = [xs.at(-1) ?? 1, ys[0] ?? 0, ys.at(-1) ?? 1];
  const px = (x: number) => left + (x / x1) * (width - left - right);
  const py = (y: number) => height - bottom - ((y - y0) / (y1 - y0)) * (height - bottom - top);
  const tick = (value: number) => Number(value.toPrecision(4)).toLocaleString("en-US");
  const across = ys.map((y) => {
    const at = py(y);
    return `<line x1="${left}" x2="${width - right}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}" stroke="#e5e7eb"/>
<text x="${left - 6}" y="${(at + 4).toFixed(1)}" text-anchor="end">${tick(y)}</text>`;
  });
  const below = xs.map(
    (x) =>
      `<text x="${px(x).toFixed(1)}" y="${height - bottom + 16}" text-anchor="middle">${tick(x)}</text>`,
  );
  const labels = apart(lines.map(({ points }) => py(points.at(-1)?.[1] ?? 0) + 4));
  const drawn = lines.map(({ name, color, points }, at) => {
    const path = points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ");
    const end = px(points.at(-1)?.[0] ?? 0) + 8;
    return `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="2"/>
<text x="${end.toFixed(1)}" y="${labels[at]?.toFixed(1)}" fill="${color}" font-weight="600">${name}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11" fill="#374151">
<rect width="${width}" height="${height}" fill="#ffffff"/>
<text x="${left}" y="20" font-size="13" font-weight="600">${title}</text>
${[...across, ...below].join("\n")}
${drawn.join("\n")}
<text x="${(left + width - right) / 2}" y="${height - 10}" text-anchor="middle">${axes.x}</text>
<text transform="translate(14 ${(top + height - bottom) / 2}) rotate(-90)" text-anchor="middle">${axes.y}</text>
</svg>
`;
}

type Slice = { slice: string; curves: Record<keyof typeof COLORS, number[]> };
const report = JSON.parse(
  readFileSync(join(root, "worker/routing/smart/weights.json"), "utf8"),
) as { slices: Slice[] };
for (const { slice, curves } of report.slices) {
  const lines = Object.entries(curves).map(([name, quality]): Line => ({
    name,
    color: COLORS[name as keyof typeof COLORS],
    points: quality.map((each, at) => [(at / (quality.length - 1)) * 100, each]),
  }));
  const name = slice.replace("/", "-");
  writeFileSync(
    join(folder, `${name}.svg`),
    chart(
      `${slice}, areas and tasks held out: quality by share of strong calls`,
      { x: "share of requests to the strong model, %", y: "quality" },
      lines,
    ),
  );
}

const rows = outcomes().rows.filter(({ bench }) => bench === "ulab");
const models = Object.keys(rows[0]?.scores ?? {});
const total = (model: string) => rows.reduce((sum, row) => sum + (row.scores[model] ?? 0), 0);
const best = models.toSorted((a, b) => total(b) - total(a))[0] ?? "";
const CASES: [string, string[], Change[], string][] = [
  ["as it is", models, [], "#c2410c"],
  [
    "new best at 3,000",
    models.filter((each) => each !== best),
    [{ at: 3000, add: best }],
    "#0369a1",
  ],
  ["best halves at 4,000", models, [{ at: 4000, drop: best, to: 0.5 }], "#4d7c0f"],
];
const SEEDS = [1, 2, 3, 4, 5];
const mean = (runs: readonly Run[], of: (run: Run) => number) =>
  runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
const lines: Line[] = [];
for (const [name, live, changes, color] of CASES) {
  const runs = SEEDS.map((seed) =>
    simulate(rows, { models: live, seed, passes: 3, share: 0.05, changes }),
  );
  const ratio = mean(runs, (run) => run.mean / run.bestSingle);
  console.log(
    `${name}: mean reward ${mean(runs, (run) => run.mean).toFixed(4)}, best single ${mean(runs, (run) => run.bestSingle).toFixed(4)}, ratio ${ratio.toFixed(4)}, worst seed ${Math.min(...runs.map((run) => run.mean / run.bestSingle)).toFixed(4)}, best per task ${mean(runs, (run) => run.bestPerTask).toFixed(4)}`,
  );
  const points = (runs[0]?.regret ?? []).map((_, at): [number, number] => [
    ((at + 1) * rows.length * 3) / 50,
    mean(runs, (run) => run.regret[at] ?? 0),
  ]);
  lines.push({ name, color, points });
}
writeFileSync(
  join(folder, "learning.svg"),
  chart(
    "Learning: regret against the best single model, mean of five seeds",
    { x: "requests", y: "regret (reward lost)" },
    lines,
  ),
);
