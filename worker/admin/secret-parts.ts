import * as z from "zod";
import type { ProviderAuth, ProviderRow } from "../providers/catalog.ts";
import { serviceAccount } from "../providers/signing/google.ts";
import { checkSecret, secretText } from "./secret.ts";
import { invalidField } from "./faults.ts";

/** What may prove a caller to a cloud besides one key, by the cloud's scheme. */
const PARTS = {
  azure: ["azure_ad_token", "tenant_id", "client_id", "client_secret"],
  google: ["vertex_credentials"],
  aws: ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"],
} as const satisfies Partial<Record<ProviderAuth & string, readonly string[]>>;

type Part = (typeof PARTS)[keyof typeof PARTS][number];
const NAMES: readonly Part[] = Object.values(PARTS).flat();

const part = secretText.nullish();
/** The members of `litellm_params` and `credential_values` that hold parts of a secret; no answer ever holds them. */
export const SECRET_PARTS = {
  azure_ad_token: part.describe("A Microsoft Entra token, in the place of api_key"),
  tenant_id: part.describe("With client_id and client_secret: an Entra application"),
  client_id: part,
  client_secret: part,
  vertex_credentials: z
    .union([z.string().max(16_384, "At most 16384 characters"), z.record(z.string(), z.unknown())])
    .nullish()
    .describe("A service account's JSON key, as text or as an object"),
  aws_access_key_id: part.describe("With aws_secret_access_key: signs requests (Signature V4)"),
  aws_secret_access_key: part,
  aws_session_token: part,
} satisfies Record<Part, z.ZodType>;

type Said = Partial<Record<Part, unknown>> & { api_key?: string | null | undefined };
type Sealable<T extends Said> = Omit<T, Part> & { api_key?: string | null | undefined };

/**
 * The same members with all parts of the secret as one text in `api_key`, which is sealed like any other key. Refuses
 * parts that the provider does not take, and a set that is not whole. `path` leads to the members.
 */
export function withOneSecret<T extends Said>(
  said: T,
  row: ProviderRow,
  path: readonly string[],
): Sealable<T> {
  const { api_key: key } = said;
  const parts: Record<string, string> = {};
  const taken: readonly string[] = takenBy(row);
  const rest: Record<string, unknown> = { ...said };
  for (const name of NAMES) {
    const value = said[name];
    delete rest[name];
    if (value == null) continue;
    const at = [...path, name];
    if (!taken.includes(name)) throw invalidField(at, `The provider ${row.slug} takes none`);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    checkSecret(text, at.join("."));
    parts[name] = text;
  }
  if (Object.keys(parts).length === 0) return rest as Sealable<T>;
  checkWhole(parts, path);
  if (key != null) throw invalidField([...path, "api_key"], "Not together with another credential");
  return { ...rest, api_key: JSON.stringify(parts) } as Sealable<T>;
}

function takenBy({ auth }: ProviderRow): readonly string[] {
  return typeof auth === "string" && auth in PARTS ? PARTS[auth as keyof typeof PARTS] : [];
}

function checkWhole(parts: Record<string, string>, path: readonly string[]): void {
  const together = (names: readonly Part[]) => {
    if (!names.some((name) => parts[name] !== undefined)) return;
    const absent = names.find((name) => parts[name] === undefined);
    if (absent === undefined) return;
    throw invalidField([...path, absent], `Needed together with ${names.join(", ")}`);
  };
  const keys: Part[] = ["aws_access_key_id", "aws_secret_access_key"];
  together(parts["aws_session_token"] === undefined ? keys : [...keys, "aws_session_token"]);
  together(["tenant_id", "client_id", "client_secret"]);
  const account = parts["vertex_credentials"];
  if (account !== undefined && serviceAccount(account) === null) {
    const right = "Must be a service account's JSON key with client_email and private_key";
    throw invalidField([...path, "vertex_credentials"], right);
  }
}
