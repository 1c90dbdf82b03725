import {
  auditArchive,
  auditLog,
  delivery,
  keyCheck,
  ledger,
  orgControl,
  providerHealth,
  policyArchive,
  smartLearning,
} from "../durable-objects/addresses.ts";
import { trailSend } from "../durable-objects/trail.ts";
import type { Config } from "./config.ts";
import type { Isolate } from "./core/isolate.ts";
import type { AdminDeps } from "./admin/ports.ts";
import { clientAddress } from "./identity/address.ts";
import { proveCredential } from "./identity/credential.ts";
import { makeSignedKeys } from "./store/signed-key.ts";
import { RoleAuthorizer } from "./policy/authz/roles.ts";
import { makeHealth } from "./routing/health.ts";
import { outbound } from "./providers/outbound.ts";
import { groupedAudit } from "./store/audit-group.ts";
import { smartDetectors } from "./routing/smart/detect.ts";
import { previewRouters } from "./stages/routers.ts";
import { openDb } from "./store/database.ts";
import { derivedSecret } from "./store/derived-secrets.ts";
import { makeDirectory } from "./store/directory.ts";
import { makeEscrow } from "./store/escrow.ts";
import { makeInvitationTokens } from "./store/invitation-token.ts";
import { issueKey, makeKeyVerifier, reissueKey } from "./store/key-verifier.ts";
import { makeLearning } from "./store/learning.ts";
import { firstOrgId } from "./store/orgs.ts";
import { raiseBound } from "./store/overbilling.ts";
import { makeVault } from "./store/vault.ts";
import { consoleLog } from "./telemetry/log.ts";
import { makeMetrics } from "./telemetry/metrics.ts";

const authorizer = new RoleAuthorizer();

/** The memory of a new isolate. Called by its first handler: nothing random may be drawn before (PLATFORM 3). */
export function newIsolate(): Isolate {
  return {
    id: crypto.randomUUID(),
    tagSecret: crypto.getRandomValues(new Uint8Array(32)),
    orgs: new Map(),
    keyTags: new Map(),
    health: new Map(),
    secrets: new Map(),
    bundles: new Map(),
    policies: new Map(),
    told: new Set(),
    accessTokens: new Map(),
    stateMakers: new Map(),
    learned: new Map(),
    firstOrg: null,
    bytesInFlight: 0,
    workInHand: 0,
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
  const waitUntil = (work: Promise<unknown>) => {
    isolate.workInHand++;
    const settled = work.finally(() => isolate.workInHand--);
    ctx.waitUntil(settled);
  };
  const db = openDb(env.DB);
  const control = (orgId: string) => orgControl(env, orgId);
  const health = makeHealth({
    memory: isolate.health,
    isolate: isolate.id,
    object: (orgId) => providerHealth(env, orgId),
    now,
    waitUntil,
  });
  const directory = makeDirectory({
    isolate,
    control,
    besides: health.learn,
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
  const log = consoleLog(now);
  const told = (orgId: string) => delivery(env, orgId);
  const books = (orgId: string, teamId: string) => ledger(env, orgId, teamId);
  return {
    settings,
    isolate,
    db,
    issueKey: (orgId) => issueKey(proof, orgId),
    reissueKey: (orgId, keyId) => reissueKey(proof, { orgId, keyId }),
    directory,
    keys,
    signedKeys,
    invitationTokens: makeInvitationTokens(config.peppers),
    prove: (call) => proveCredential({ keys, signedKeys, directory, now }, call),
    vault,
    rotation: {
      kek: config.keks.current,
      pepper: config.peppers.current,
      rewrap: vault.rewrap,
    },
    books,
    auditLog: (orgId) => auditLog(env, orgId),
    auditArchive: (orgId) => auditArchive(env, orgId),
    witnesses: config.witnesses,
    policyArchive: policyArchive(env),
    previewRouters,
    account: makeEscrow({
      isolate,
      ledger: books,
      now,
      waitUntil,
      overbilled: (found) => waitUntil(raiseBound({ control, delivery: told, now, log }, found)),
      log,
    }),
    audit: groupedAudit({ isolate, send: trailSend(env), waitUntil, now }),
    healthObject: (orgId) => providerHealth(env, orgId),
    learningObject: (orgId) => smartLearning(env, orgId),
    health,
    authorizer,
    detectors: smartDetectors,
    inputSecret: (orgId) => ({
      version: config.peppers.current,
      secret: derivedSecret(config.peppers, config.peppers.current, `inputs of ${orgId}`),
    }),
    learning: makeLearning({
      isolate,
      object: (orgId) => smartLearning(env, orgId),
      now,
      waitUntil,
    }),
    delivery: told,
    deliveries: (orgId) => delivery(env, orgId),
    upstream: outbound,
    platformKey: (provider) => config.platformKeys.get(provider) ?? null,
    control,
    log,
    metrics: makeMetrics(isolate),
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
