import type { Upstream, UpstreamRequest } from "../core/ports.ts";
import { simulate } from "./sim.ts";

/**
 * The one outbound fetch. Redirects are not followed (a credential goes to the host that it was saved for and nowhere
 * else) and the body is asked for unencoded, so that "unchanged" means the bytes that the provider wrote (PLATFORM 2).
 */
export const outbound: Upstream = {
  async send(request: UpstreamRequest): Promise<Response> {
    if (request.url.startsWith("sim:")) return simulate(request);
    return fetch(request.url, {
      method: request.method,
      headers: { ...request.headers, "accept-encoding": "identity" },
      body: request.body,
      redirect: "manual",
      signal: request.signal,
    });
  },
};
