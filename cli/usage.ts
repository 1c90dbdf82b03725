import { parseArgs, type ParseArgsConfig } from "node:util";

/** A mistake on the command line; the process exits with 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** Options and words of a command line; throws `UsageError` for what is none of them. */
export function parsed<const T extends ParseArgsConfig>(
  config: T,
): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Where a command writes: what a script needs, and everything else. */
export interface Output {
  out: (line: string) => void;
  err: (line: string) => void;
}
