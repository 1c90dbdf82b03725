import * as z from "zod";
import type { Settings } from "./core/ports.ts";
import { readVerifierKey } from "./core/sealed-log/note.ts";
import type { NoteKey } from "./core/sealed-log/note.ts";
import type { AddressRules } from "./identity/address.ts";
import { addressBlock } from "./policy/authz/addresses.ts";
import { providers } from "./providers/catalog.ts";
import { parseVersionedSecrets } from "./store/versioned-secrets.ts";
import type { VersionedSecrets } from "./store/versioned-secrets.ts";

const flag = z
  .enum(["true", "false", "1", "0"], { error: 'must be "true" or "false"' })
  .transform((value) => value === "true" || value === "1");

/** Its form is checked where it is read (`store/versioned-secrets.ts`). */
const secret = z.string({ error: "is missing" }).min(1, "is empty");

const masterKey = z
  .string({ error: "is missing" })
  .regex(/^sk-\S{13,}$/, 'must begin with "sk-" and have at least 16 characters');

const blocks = z.string().transform((text, check) => {
  const parts = text.split(",").map((part) => part.trim());
  const list = parts.filter((part) => part !== "").map(addressBlock);
  if (list.every((block) => block !== null)) return list;
  check.addIssue({ code: "custom", message: "must be addresses or CIDR blocks, joined by commas" });
  return z.NEVER;
});

const witnesses = z.string().transform((text, check) => {
  const parts = text.split(",").map((part) => part.trim());
  const keys = parts.filter((part) => part !== "").map(readVerifierKey);
  const list = keys.filter((key) => key?.kind === "witness");
  if (list.length === keys.length) return list as NoteKey[];
  check.addIssue({
    code: "custom",
    message: "must be keys of cosignatures, <name>+<id>+<base64>, joined by commas",
  });
  return z.NEVER;
});

const schema = z.object({
  PROFILE: z.enum(["cloud", "self-hosted"], { error: 'must be "cloud" or "self-hosted"' }),
  ALLOW_PRIVATE_UPSTREAMS: flag.default(false),
  LITELLM_HEADERS: flag.default(true),
  BCRYPT_COST: z.coerce
    .number({ error: "must be a number" })
    .int("must be a whole number")
    .min(4, "must be at least 4")
    .max(15, "must be at most 15")
    .default(10),
  MAX_BODY_BYTES: z.coerce.number().int().min(1024).max(33_554_432).default(33_554_432),
  CLIENT_ADDRESS: z
    .enum(["cloudflare", "socket", "none"], {
      error: 'must be "cloudflare", "socket" or "none"',
    })
    .optional(),
  TRUSTED_PROXIES: blocks.default([]),
  MASTER_KEY: masterKey,
  /** Still accepted while clients move to the new one; absent most of the time. */
  MASTER_KEY_PREVIOUS: masterKey.optional(),
  /** Lets a scraper read /metrics without the master key. */
  METRICS_TOKEN: z.string().min(16, "must have at least 16 characters").optional(),
  KEY_PEPPER: secret,
  KEK: secret,
  AUDIT_SIGNING_KEY: secret,
  /** What audit logs are named after: the host that this gateway is known by. */
  AUDIT_ORIGIN: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{0,127}$/, "must be a host name")
    .optional(),
  AUDIT_RETENTION_DAYS: z.coerce
    .number({ error: "must be a number" })
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .max(2_557, "must be at most 2557, seven years")
    .optional(),
  /** Public keys of the witnesses whose cosignatures are kept, joined by commas. */
  AUDIT_WITNESSES: witnesses.default([]),
});

/** Everything that is configured, checked. Secrets stay here and in the adapters they are handed to. */
export interface Config {
  settings: Settings;
  bcryptCost: number;
  /** The current master key and, during its rotation, the one before. */
  masterKeys: string[];
  addresses: AddressRules;
  metricsToken: string | null;
  witnesses: readonly NoteKey[];
  peppers: VersionedSecrets;
  keks: VersionedSecrets;
  /** The platform's own provider keys by provider. */
  platformKeys: ReadonlyMap<string, string>;
}

/** Reads vars and secrets; throws one error that names every wrong value and what it should be, never the value. */
export function readConfig(env: object): Config {
  const read = schema.safeParse(env);
  if (!read.success) {
    const faults = read.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
    throw new Error(`The configuration is not usable: ${faults.join("; ")}.`);
  }
  const vars = read.data;
  // The log's objects read it themselves: here a wrong one is named before anything is served.
  parseVersionedSecrets("AUDIT_SIGNING_KEY", vars.AUDIT_SIGNING_KEY);
  return {
    settings: {
      profile: vars.PROFILE,
      allowPrivateUpstreams: vars.ALLOW_PRIVATE_UPSTREAMS,
      litellmHeaders: vars.LITELLM_HEADERS,
      maxBodyBytes: vars.MAX_BODY_BYTES,
      auditRetentionDays: vars.AUDIT_RETENTION_DAYS ?? 365,
    },
    bcryptCost: vars.BCRYPT_COST,
    masterKeys: [vars.MASTER_KEY, vars.MASTER_KEY_PREVIOUS].filter((each) => each !== undefined),
    addresses: {
      source: vars.CLIENT_ADDRESS ?? (vars.PROFILE === "cloud" ? "cloudflare" : "none"),
      trustedProxies: vars.TRUSTED_PROXIES,
    },
    metricsToken: vars.METRICS_TOKEN ?? null,
    witnesses: vars.AUDIT_WITNESSES,
    peppers: parseVersionedSecrets("KEY_PEPPER", vars.KEY_PEPPER),
    keks: parseVersionedSecrets("KEK", vars.KEK),
    platformKeys: platformKeys(new Map(Object.entries(env))),
  };
}

function platformKeys(vars: ReadonlyMap<string, unknown>): Map<string, string> {
  const keys = new Map<string, string>();
  for (const row of providers()) {
    const value = row.keyVariables.map((name) => vars.get(name)).find((each) => each !== undefined);
    if (typeof value === "string" && value !== "") keys.set(row.slug, value);
  }
  return keys;
}
