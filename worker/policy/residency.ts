/**
 * Which regions a residency class covers (CONTRACT 3.4), by the names that AWS, Google and Azure give theirs. A class
 * answers for the law that holds where the machines stand: London and Zürich are in Europe and not in the EU.
 */
interface Class {
  about: string;
  starts: RegExp;
  names?: ReadonlySet<string>;
  /** Regions that begin like the class and lie outside of it. */
  not?: ReadonlySet<string>;
}

const set = (text: string): ReadonlySet<string> => new Set(text.split(" "));

const CLASSES = {
  "eu-only": {
    about: "member states of the European Union",
    starts: /^(eu|europe)(-|$)/,
    names: set(
      "westeurope northeurope francecentral francesouth germanywestcentral germanynorth swedencentral swedensouth italynorth polandcentral spaincentral austriaeast belgiumcentral denmarkeast finlandcentral greececentral",
    ),
    not: set("eu-west-2 eu-central-2 eu-london eu-zurich europe-west2 europe-west6"),
  },
  "us-only": {
    about: "United States",
    starts: /^(us|usgov[a-z]*)(-|$)/,
    names: set(
      "eastus eastus2 eastus3 westus westus2 westus3 centralus northcentralus southcentralus westcentralus",
    ),
  },
  "apac-only": {
    about: "Asia and Pacific without mainland China",
    starts: /^(ap|apac|asia|australia[a-z]*)(-|$)/,
    names: set(
      "eastasia southeastasia japaneast japanwest koreacentral koreasouth centralindia southindia westindia newzealandnorth malaysiawest indonesiacentral",
    ),
  },
  "cn-only": {
    about: "mainland China",
    starts: /^(cn|china[a-z]*\d?)(-|$)/,
  },
  fedramp: {
    about: "regions of the US government clouds",
    starts: /^(us-gov|usgov[a-z]*|fedramp)(-|$)/,
  },
} as const satisfies Record<string, Class>;

export type ResidencyClass = keyof typeof CLASSES;

/** `gateway-region` stands for the class of the region that the organization itself lives in. */
export const GATEWAY_REGION = "gateway-region";

export const RESIDENCY_NAMES = [...Object.keys(CLASSES), GATEWAY_REGION];

/** The class that an organization's own data region means; null for one that spans the world. */
export function classOfGateway(region: string): ResidencyClass | null {
  if (region === "eu") return "eu-only";
  return region === "fedramp" ? "fedramp" : null;
}

/** Whether a region lies within a class; undefined where the region is not known. */
export function liesWithin(region: string | undefined, name: string): boolean | undefined {
  if (region === undefined || region === "" || region === "global") return undefined;
  const { starts, names, not }: Class = CLASSES[name as ResidencyClass];
  const lower = region.toLowerCase();
  if (not?.has(lower) === true) return false;
  if (starts.test(lower) || names?.has(lower) === true) return true;
  return Object.values(CLASSES).some(
    (each: Class) => each.starts.test(lower) || each.names?.has(lower),
  )
    ? false
    : undefined;
}
