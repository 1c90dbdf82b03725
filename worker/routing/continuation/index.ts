export { Delivered } from "./delivered.ts";
export {
  addedBytes,
  continuationFor,
  continuationRequest,
  limitSpent,
  obstacleTo,
  type Continuation,
} from "./request.ts";
export { shownUsage, type Share } from "./shown.ts";
export { lengthReached, Splice } from "./splice.ts";
export { TRIM_MS } from "./trim.ts";
