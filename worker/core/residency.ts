/**
 * Which regions a residency class covers, by the names that AWS, Google and Azure give theirs. A class
 * answers for the law that holds where the machines stand: London and Zürich lie in Europe and not in the EU.
 */
interface Class {
  /** How its regions begin, before a `-` or the end. */
  starts: readonly string[];
  /** Regions whose names do not begin with their part of the world. */
  names?: ReadonlySet<string>;
  /** Regions that begin like the class and lie outside of it. */
  not?: ReadonlySet<string>;
}

const set = (text: string): ReadonlySet<string> => new Set(text.split(" "));

const CLASSES: Readonly<Record<string, Class>> = {
  "eu-only": {
    starts: ["eu", "europe"],
    names: set(
      "westeurope northeurope francecentral francesouth germanywestcentral germanynorth swedencentral swedensouth italynorth polandcentral spaincentral austriaeast belgiumcentral denmarkeast finlandcentral greececentral",
    ),
    not: set("eu-west-2 eu-central-2 eu-london eu-zurich europe-west2 europe-west6"),
  },
  // The US government's regions lie in the US too.
  "us-only": {
    starts: ["us", "us-gov", "usgovvirginia", "usgovarizona", "usgovtexas"],
    names: set(
      "eastus eastus2 eastus3 westus westus2 westus3 centralus northcentralus southcentralus westcentralus",
    ),
  },
  "apac-only": {
    starts: ["ap", "apac", "asia", "australia", "japan", "korea", "india"],
    names: set(
      "eastasia southeastasia japaneast japanwest koreacentral koreasouth australiaeast australiasoutheast australiacentral centralindia southindia westindia newzealandnorth malaysiawest indonesiacentral",
    ),
  },
  "cn-only": {
    starts: ["cn", "china"],
    names: set("chinaeast chinaeast2 chinaeast3 chinanorth chinanorth2 chinanorth3"),
  },
  fedramp: { starts: ["us-gov", "usgovvirginia", "usgovarizona", "usgovtexas", "fedramp"] },
};

/** Stands for the class of the region that the organization itself lives in. */
export const GATEWAY_REGION = "gateway-region";

/** What the management API's clients call a class, by their names. */
const SHORT: Readonly<Record<string, string>> = {
  eu: "eu-only",
  us: "us-only",
  apac: "apac-only",
  cn: "cn-only",
};

/** Where a customer's requests may be served: the short names, and the classes. */
export const CUSTOMER_REGIONS = ["eu", "us", "apac", "cn", ...Object.keys(CLASSES)] as [
  string,
  ...string[],
];

/** The class that a customer's region means. */
export function classOfCustomer(region: string): string {
  return Object.hasOwn(SHORT, region) ? (SHORT[region] ?? region) : region;
}

/** The names of all classes but `gateway-region`, which is where the organization's data lives. */
export const RESIDENCY_CLASSES = [...Object.keys(CLASSES), GATEWAY_REGION] as const;

/** The class that an organization's own data region means; null for one that spans the world. */
export function classOfGateway(home: string): string | null {
  if (home === "eu") return "eu-only";
  return home === "fedramp" ? "fedramp" : null;
}

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
    return residency.some((each) => liesWithin(each, region, home));
  }
  if (residency === GATEWAY_REGION) {
    const meant = classOfGateway(home);
    return meant === null || liesWithin(meant, region);
  }
  const found = Object.hasOwn(CLASSES, residency) ? CLASSES[residency] : undefined;
  if (found === undefined) return begins(name, residency.toLowerCase());
  if (found.not?.has(name) === true) return false;
  return found.names?.has(name) === true || found.starts.some((start) => begins(name, start));
}

/** `eu` holds `eu` and `eu-west-1`; a full region holds itself and its zones. */
function begins(region: string, place: string): boolean {
  return region === place || region.startsWith(`${place}-`);
}
