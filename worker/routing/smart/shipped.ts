import { unpackModel } from "./model.ts";
import { WEIGHTS } from "./weights.ts";

/** The weights that this version of the gateway decides by. */
export const model = unpackModel(WEIGHTS);
