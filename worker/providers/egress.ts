import ipaddr from "ipaddr.js";
import { GatewayError } from "../core/errors.ts";

const METADATA_HOSTS = new Set([
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "instance-data",
  "instance-data.ec2.internal",
]);
const METADATA_ADDRESSES = new Set([
  "169.254.169.254",
  "100.100.100.200",
  "fd00:ec2::254",
  "168.63.129.16",
]);
const PRIVATE_SUFFIXES = [
  ".localhost",
  ".local",
  ".internal",
  ".lan",
  ".home.arpa",
  ".corp",
  ".intranet",
];

/**
 * Refuses a configurable base URL that could reach something it should not (SSRF). Private and loopback targets and
 * plain http need `allowPrivateUpstreams`; link-local and metadata addresses are refused even then. It judges the
 * name, not what DNS makes of it: the runtime resolves names itself and follows no redirects.
 *
 * @returns the parsed URL without a trailing slash in `href` sense; throws `invalid_request` with `param`.
 */
export function checkEgress(
  text: string,
  settings: { allowPrivateUpstreams: boolean },
  param = "api_base",
): URL {
  const refuse = (why: string) =>
    new GatewayError("invalid_request", `${param}: ${why}`, { param });
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refuse("is not an absolute URL such as https://api.example.com/v1");
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw refuse("must begin with https://");
  }
  if (url.username !== "" || url.password !== "") {
    throw refuse("must not hold credentials; send them as api_key");
  }
  if (url.search !== "" || url.hash !== "") {
    throw refuse("must not hold a query or a fragment");
  }
  const host = url.hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
  const reach = reachOf(host);
  if (reach === "never") {
    throw refuse("points to a link-local, metadata or reserved address, which is never allowed");
  }
  if (!settings.allowPrivateUpstreams) {
    if (reach === "private") {
      throw refuse("points to a private address; set ALLOW_PRIVATE_UPSTREAMS=true to allow that");
    }
    if (url.protocol !== "https:") {
      throw refuse("must be https; plain http needs ALLOW_PRIVATE_UPSTREAMS=true");
    }
  }
  return url;
}

/** The same for a webhook's URL, which may hold a query. */
export function checkWebhook(
  text: string,
  settings: { allowPrivateUpstreams: boolean },
  param = "alerting_webhook_url",
): void {
  checkEgress(text.replace(/\?[^#]*/, ""), settings, param);
}

function reachOf(host: string): "public" | "private" | "never" {
  if (METADATA_HOSTS.has(host)) return "never";
  if (!ipaddr.isValid(host)) {
    if (host === "localhost" || PRIVATE_SUFFIXES.some((suffix) => host.endsWith(suffix)))
      return "private";
    return host.includes(".") ? "public" : "private";
  }
  const address = ipaddr.process(host);
  if (METADATA_ADDRESSES.has(address.toString())) return "never";
  switch (address.range()) {
    case "unicast":
      return "public";
    case "loopback":
    case "private":
    case "uniqueLocal":
    case "carrierGradeNat":
      return "private";
    default:
      return "never";
  }
}
