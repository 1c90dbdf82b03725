/** What one rung did in one case; times in milliseconds. `round` 0 is the median over all rounds. */
export interface Row {
  rung: string;
  case: string;
  round: number;
  requestsPerSecond: number;
  p50: number;
  p99: number;
  errors: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const value =
    sorted.length % 2 === 1
      ? (sorted[middle] ?? 0)
      : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
  return Math.round(value * 1000) / 1000;
}

/** A Markdown table of medians, with each rung set against the bare worker of the same case. */
export function table(rows: readonly Row[]): string {
  const lines = [
    "| case | rung | req/s | against bare | p50 ms | over bare | p99 ms | errors |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
  ];
  for (const row of rows) {
    const bare = rows.find((each) => each.case === row.case && each.rung === "bare worker");
    const ratio =
      bare && bare.requestsPerSecond > 0
        ? (row.requestsPerSecond / bare.requestsPerSecond).toFixed(2)
        : "";
    const over = bare ? (row.p50 - bare.p50).toFixed(2) : "";
    lines.push(
      `| ${row.case} | ${row.rung} | ${row.requestsPerSecond} | ${ratio} | ${row.p50} | ${over} | ${row.p99} | ${row.errors} |`,
    );
  }
  return lines.join("\n");
}
