import { EVIDENCE } from "./evidence.ts";
import { WEIGHTS } from "./weights.ts";

/** What decides: the rules' and the choice's own version, that of the weights and of the families' record. A replay needs the same. */
export const ENGINE = `smart-5/${WEIGHTS.version}.${EVIDENCE.version}`;
