export type { LogLine } from "./cell.ts";
export { AdminError, testBindings, UPSTREAM_KEY, type ModelTarget, type Tenant } from "./client.ts";
export { startCluster, type Cluster, type ClusterOptions, type Worker } from "./cluster.ts";
export { startGateway, type GatewayOptions, type TestGateway } from "./gateway.ts";
