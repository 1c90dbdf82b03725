// The secrets of a gateway that runs on one machine: made once, kept in STATE_DIR/secrets (folder 700,
// files 600), each random by itself. The environment wins, so an operator can bring their own.
import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The secrets that every gateway needs, in the forms that worker/config.ts checks. */
export interface Secrets {
  MASTER_KEY: string;
  KEY_PEPPER: string;
  KEK: string;
  AUDIT_SIGNING_KEY: string;
}

const makers: Record<keyof Secrets, () => string> = {
  MASTER_KEY: () => `sk-${randomBytes(24).toString("hex")}`,
  KEY_PEPPER: versioned,
  KEK: versioned,
  AUDIT_SIGNING_KEY: versioned,
};

const list = /^\d+:[A-Za-z0-9+/]{43}=(,\d+:[A-Za-z0-9+/]{43}=)*$/;
const forms: Record<keyof Secrets, { form: RegExp; says: string }> = {
  MASTER_KEY: { form: /^sk-\S{13,}$/, says: "must begin with sk- and have at least 16 characters" },
  KEY_PEPPER: { form: list, says: "must be 1:<base64 of 32 bytes>[,2:…]" },
  KEK: { form: list, says: "must be 1:<base64 of 32 bytes>[,2:…]" },
  AUDIT_SIGNING_KEY: { form: list, says: "must be 1:<base64 of a 32-byte Ed25519 seed>[,2:…]" },
};

function versioned(): string {
  return `1:${randomBytes(32).toString("base64")}`;
}

/** Fresh secrets that are kept nowhere: for tests and benchmarks. */
export function makeSecrets(): Secrets {
  return {
    MASTER_KEY: makers.MASTER_KEY(),
    KEY_PEPPER: makers.KEY_PEPPER(),
    KEK: makers.KEK(),
    AUDIT_SIGNING_KEY: makers.AUDIT_SIGNING_KEY(),
  };
}

/** Reads the secrets of `stateDir`, making those that are missing. Throws an Error that names a malformed one. */
export async function keepSecrets(
  stateDir: string,
  environment: Record<string, string | undefined>,
): Promise<Secrets> {
  const folder = join(stateDir, "secrets");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const secrets = {} as Secrets;
  for (const name of Object.keys(makers) as (keyof Secrets)[]) {
    const given = environment[name];
    const value = given || (await readOrMake(join(folder, name), makers[name]));
    if (!forms[name].form.test(value)) {
      const where = given ? "in the environment" : `in ${join(folder, name)}`;
      throw new Error(`${name} ${where} ${forms[name].says}`);
    }
    secrets[name] = value;
  }
  return secrets;
}

async function readOrMake(file: string, make: () => string): Promise<string> {
  const kept = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (kept !== undefined) return kept.trim();
  return (await writeOnce(file, make())).trim();
}

/**
 * Writes `text` to `file` (mode 600) whole or not at all, unless the file exists; resolves to what it holds then.
 * A crash in between leaves no half secret, and of two writers one wins for both.
 */
export async function writeOnce(file: string, text: string): Promise<string> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, `${text}\n`, { mode: 0o600, flush: true });
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(file, "utf8");
}
