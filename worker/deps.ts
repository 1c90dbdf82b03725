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

/**
 * Makes the worlds of an isolate's requests: every adapter over its bindings, around its memory. What keeps nothing of a
 * request is made once; what leaves work behind its request is each request's own (PLATFORM 3).
 */
export function composer(
  env: Env,
  isolate: Isolate,
  config: Config,
): (ctx: ExecutionContext) => AdminDeps {
  const now = Date.now;
  const { settings } = config;
  const log = consoleLog(now);
  const db = openDb(env.DB);
  const control = (orgId: string) => orgControl(env, orgId);
  const books = (orgId: string, teamId: string) => ledger(env, orgId, teamId);
  const told = (orgId: string) => delivery(env, orgId);
  const proof = {
    peppers: config.peppers,
    keyCheck: (orgId: string, keyId: string) => keyCheck(env, orgId, keyId),
  };
  const keys = makeKeyVerifier({ ...proof, masterKeys: config.masterKeys, isolate, now });
  const signedKeys = makeSignedKeys(config.peppers, now);
  const vault = makeVault(config.keks, isolate.secrets);
  const send = trailSend(env);
  const lasting = {
    settings,
    isolate,
    db,
    issueKey: (orgId: string) => issueKey(proof, orgId),
    reissueKey: (orgId: string, keyId: string) => reissueKey(proof, { orgId, keyId }),
    keys,
    signedKeys,
    invitationTokens: makeInvitationTokens(config.peppers),
    vault,
    rotation: {
      kek: config.keks.current,
      pepper: config.peppers.current,
      rewrap: vault.rewrap,
    },
    books,
    auditLog: (orgId: string) => auditLog(env, orgId),
    auditArchive: (orgId: string) => auditArchive(env, orgId),
    witnesses: config.witnesses,
    policyArchive: policyArchive(env),
    previewRouters,
    healthObject: (orgId: string) => providerHealth(env, orgId),
    learningObject: (orgId: string) => smartLearning(env, orgId),
    authorizer,
    detectors: smartDetectors,
    inputSecret: (orgId: string) => ({
      version: config.peppers.current,
      secret: derivedSecret(config.peppers, config.peppers.current, `inputs of ${orgId}`),
    }),
    delivery: told,
    deliveries: (orgId: string) => delivery(env, orgId),
    upstream: outbound,
    platformKey: (provider: string) => config.platformKeys.get(provider) ?? null,
    control,
    log,
    metrics: makeMetrics(isolate),
    now,
    addressOf: (request: Request) =>
      clientAddress(config.addresses, { headers: request.headers, clientIp: peerOf(request) }),
  };
  return (ctx) => {
    const waitUntil = (work: Promise<unknown>) => {
      isolate.workInHand++;
      const settled = work.finally(() => isolate.workInHand--);
      ctx.waitUntil(settled);
    };
    const health = makeHealth({
      memory: isolate.health,
      isolate: isolate.id,
      object: lasting.healthObject,
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
    return {
      ...lasting,
      directory,
      prove: (call) => proveCredential({ keys, signedKeys, directory, now }, call),
      account: makeEscrow({
        isolate,
        ledger: books,
        now,
        waitUntil,
        overbilled: (found) => waitUntil(raiseBound({ control, delivery: told, now, log }, found)),
        log,
      }),
      audit: groupedAudit({ isolate, send, waitUntil, now }),
      health,
      learning: makeLearning({ isolate, object: lasting.learningObject, now, waitUntil }),
      waitUntil,
    };
  };
}

/** Where workerd says that the connection came from, if it does; not part of Cloudflare's own `request.cf`. */
function peerOf(request: Request): string | null {
  const peer: unknown = request.cf?.["clientIp"];
  return typeof peer === "string" ? peer : null;
}
