export { Delivered } from "./delivered.ts";
export { continuationFor, continuationRequest, obstacleTo, type Continuation } from "./request.ts";
export { shownUsage, type Share } from "./shown.ts";
export { lengthReached, Splice } from "./splice.ts";
export { TRIM_MS } from "./trim.ts";
