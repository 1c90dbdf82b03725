export * from "./behaviour.ts";
export { Call, type Ending } from "./calls.ts";
export { recordedBody, recordedEvents, recordings, recordingsFolder } from "./recording.ts";
export { startUpstream, type Upstream, type UpstreamOptions } from "./server.ts";
export { countInput, runs, words, type Usage } from "./tokens.ts";
