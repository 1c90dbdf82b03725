// What `npm start` reads from its environment and from .dev.vars.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { root } from "./bundle.ts";

export interface StartSettings {
  /** 0 takes a free port. */
  port: number;
  host: string;
  /** Absolute. */
  stateDir: string;
  allowPrivateUpstreams: boolean;
}

/** Reads PORT, HOST, STATE_DIR and ALLOW_PRIVATE_UPSTREAMS; throws an Error that names the malformed one. */
export function readSettings(environment: Record<string, string | undefined>): StartSettings {
  const port = environment["PORT"] || "4000";
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new Error(`PORT must be a number from 0 to 65535, not "${port}"`);
  }
  const host = environment["HOST"] || "127.0.0.1";
  if (!/^[A-Za-z0-9.:_-]+$/.test(host)) {
    throw new Error(`HOST must be an address or a name, not "${host}"`);
  }
  const privately = (environment["ALLOW_PRIVATE_UPSTREAMS"] || "true").toLowerCase();
  if (!["true", "1", "false", "0"].includes(privately)) {
    throw new Error(`ALLOW_PRIVATE_UPSTREAMS must be true or false, not "${privately}"`);
  }
  return {
    port: Number(port),
    host,
    stateDir: resolve(root, environment["STATE_DIR"] || ".routero"),
    allowPrivateUpstreams: privately === "true" || privately === "1",
  };
}

const keptElsewhere = new Set(["MASTER_KEY", "KEY_PEPPER", "KEK", "AUDIT_SIGNING_KEY"]);

/** What .dev.vars says beside the gateway's own secrets: provider keys, and settings of `[vars]`. */
export async function ownVariables(): Promise<Record<string, string>> {
  const text = await readFile(join(root, ".dev.vars"), "utf8").catch(() => "");
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseEnv(text))) {
    if (value && !keptElsewhere.has(name)) found[name] = value;
  }
  return found;
}
