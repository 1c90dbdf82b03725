import { keyCheck, orgControl } from "../durable-objects/addresses.ts";
import type { Config } from "./config.ts";
import type { Isolate } from "./core/isolate.ts";
import type { AdminDeps } from "./admin/ports.ts";
import { clientAddress } from "./identity/address.ts";
import { proveCredential } from "./identity/credential.ts";
import { makeSignedKeys } from "./store/signed-key.ts";
import { RoleAuthorizer } from "./policy/authz/roles.ts";
import { outbound } from "./providers/outbound.ts";
import { makeD1Account } from "./store/account-d1.ts";
import { makeD1Audit } from "./store/audit-d1.ts";
import { groupedAudit, type TrailSend } from "./store/audit-group.ts";
import { openDb } from "./store/database.ts";
import { makeDirectory } from "./store/directory.ts";
import { issueKey, makeKeyVerifier, reissueKey } from "./store/key-verifier.ts";
import { firstOrgId } from "./store/orgs.ts";
import { queuedTrail } from "./store/trail-queue.ts";
import { makeVault } from "./store/vault.ts";
import { consoleLog } from "./telemetry/log.ts";

const authorizer = new RoleAuthorizer();

/** The memory of a new isolate. Called by its first handler: nothing random may be drawn before (PLATFORM 3). */
export function newIsolate(): Isolate {
  return {
    id: crypto.randomUUID(),
    tagSecret: crypto.getRandomValues(new Uint8Array(32)),
    orgs: new Map(),
    keyTags: new Map(),
    secrets: new Map(),
    firstOrg: null,
    bytesInFlight: 0,
  };
}

/** The world of one request: every adapter over this request's own bindings, around the isolate's memory. */
export function compose(
  env: Env,
  ctx: ExecutionContext,
  isolate: Isolate,
  config: Config,
): AdminDeps {
  const now = Date.now;
  const waitUntil = (work: Promise<unknown>) => ctx.waitUntil(work);
  const db = openDb(env.DB);
  const control = (orgId: string) => orgControl(env, orgId);
  const directory = makeDirectory({
    isolate,
    control,
    firstOrg: () => firstOrgId(db),
    now,
    waitUntil,
  });
  const proof = {
    peppers: config.peppers,
    keyCheck: (orgId: string, keyId: string) => keyCheck(env, orgId, keyId),
  };
  const keys = makeKeyVerifier({ ...proof, masterKeys: config.masterKeys, isolate, now });
  const signedKeys = makeSignedKeys(config.peppers, now);
  const vault = makeVault(config.keks, isolate.secrets);
  const { settings } = config;
  const direct: TrailSend = (_, records) => makeD1Audit(env.DB).append(records);
  return {
    settings,
    isolate,
    db,
    issueKey: (orgId) => issueKey(proof, orgId),
    reissueKey: (orgId, keyId) => reissueKey(proof, { orgId, keyId }),
    directory,
    keys,
    signedKeys,
    prove: (call) => proveCredential({ keys, signedKeys, directory, now }, call),
    vault,
    rotation: {
      kek: config.keks.current,
      pepper: config.peppers.current,
      rewrap: vault.rewrap,
    },
    account: makeD1Account(env.DB, now),
    audit: groupedAudit({
      isolate,
      send:
        settings.profile === "cloud"
          ? queuedTrail((message) => env.TRAIL_QUEUE.send(message), direct)
          : direct,
      waitUntil,
      now,
    }),
    authorizer,
    upstream: outbound,
    platformKey: (provider) => config.platformKeys.get(provider) ?? null,
    control,
    log: consoleLog(now),
    now,
    addressOf: (request) =>
      clientAddress(config.addresses, { headers: request.headers, clientIp: peerOf(request) }),
    waitUntil,
  };
}

/** Where workerd says that the connection came from, if it does; not part of Cloudflare's own `request.cf`. */
function peerOf(request: Request): string | null {
  const peer: unknown = request.cf?.["clientIp"];
  return typeof peer === "string" ? peer : null;
}
