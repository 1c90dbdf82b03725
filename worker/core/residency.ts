/** Residency classes (CONTRACT 3.4), by how the regions that they hold begin. */
const CLASSES: Readonly<Record<string, readonly string[]>> = {
  "eu-only": ["eu"],
  "us-only": ["us"],
  "apac-only": ["ap", "asia", "australia", "japan", "korea", "india"],
  "cn-only": ["cn", "china"],
  fedramp: ["us-gov", "usgov", "fedramp"],
};

/** The names of all classes but `gateway-region`, which is where the organization's data lives. */
export const RESIDENCY_CLASSES = [...Object.keys(CLASSES), "gateway-region"] as const;

/** Regions of providers whose names do not begin with their part of the world (Azure, Google). */
const ELSEWHERE: Readonly<Record<string, string>> = {
  westeurope: "eu",
  northeurope: "eu",
  francecentral: "eu",
  germanywestcentral: "eu",
  swedencentral: "eu",
  polandcentral: "eu",
  italynorth: "eu",
  spaincentral: "eu",
  europe: "eu",
  eastus: "us",
  eastus2: "us",
  westus: "us",
  westus2: "us",
  westus3: "us",
  centralus: "us",
  northcentralus: "us",
  southcentralus: "us",
  japaneast: "ap",
  japanwest: "ap",
  koreacentral: "ap",
  southeastasia: "ap",
  eastasia: "ap",
  australiaeast: "ap",
  centralindia: "ap",
  southindia: "ap",
};

/**
 * Whether a deployment's region lies within a residency class or a list of regions. A deployment without a region lies
 * in none. `home` is the region of the organization's own data (`eu`, `fedramp`, `global`), for `gateway-region`.
 */
export function liesWithin(
  residency: string | readonly string[],
  region: string | undefined,
  home: string = "global",
): boolean {
  if (region === undefined) return false;
  const name = region.toLowerCase();
  if (typeof residency !== "string") {
    return residency.some((each) => within(name, each.toLowerCase()));
  }
  if (residency === "gateway-region") {
    if (home === "global") return true;
    return liesWithin(home === "eu" ? "eu-only" : home, region);
  }
  const prefixes = Object.hasOwn(CLASSES, residency) ? CLASSES[residency] : undefined;
  if (prefixes === undefined) return within(name, residency.toLowerCase());
  // The US government's regions begin like the others, but are not what "us-only" leaves out: both lie in the US.
  return prefixes.some((prefix) => within(name, prefix));
}

/** `eu` holds `eu`, `eu-west-1`, `europe-west4` and `westeurope`; a full region holds itself. */
function within(region: string, place: string): boolean {
  if (region === place || region.startsWith(`${place}-`)) return true;
  const part = Object.hasOwn(ELSEWHERE, region)
    ? ELSEWHERE[region]
    : ELSEWHERE[region.split("-")[0] ?? ""];
  return part === place;
}
