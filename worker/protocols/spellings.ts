/**
 * Members of `extra`, of any dialect, that only spell out what the canonical form says as well, or ask for what every
 * target does anyway: not written to another dialect's target, and nothing is lost with them.
 */
export const SPELLINGS: ReadonlySet<string> = new Set([
  "max_tokens",
  "max_completion_tokens",
  "thinking",
  "stream_options",
  "reasoning",
  "include",
]);
