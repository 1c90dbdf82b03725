import { WEIGHTS } from "./weights.ts";

/** What decides: the rules' and the choice's own version, and that of the weights. A replay needs the same. */
export const ENGINE = `smart-1/${WEIGHTS.version}`;
