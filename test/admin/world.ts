import { createHash } from "node:crypto";
import { Hono } from "hono";
import { mountAdmin } from "../../worker/admin/http.ts";
import type { Route } from "../../worker/admin/operation.ts";
import type { AdminDeps } from "../../worker/admin/ports.ts";
import type { AuditLogPort, AuditRecord } from "../../worker/core/audit.ts";
import { GatewayError } from "../../worker/core/errors.ts";
import type { JsonObject } from "../../worker/core/json.ts";
import type { Change } from "../../worker/core/ports.ts";
import { timeOrderedId } from "../../worker/core/ids.ts";
import { proveCredential } from "../../worker/identity/credential.ts";
import { trusting } from "../support/trusting.ts";
import { makeSignedKeys } from "../../worker/store/signed-key.ts";
import { RoleAuthorizer } from "../../worker/policy/authz/roles.ts";
import { writeChange } from "../../worker/store/changes.ts";
import { openDb } from "../../worker/store/database.ts";
import { makeInvitationTokens } from "../../worker/store/invitation-token.ts";
import { mintKey, parseKey, remintKey, type MintedKey } from "../../worker/store/key-token.ts";
import { findKeyHash } from "../../worker/store/keys.ts";
import { readKey, readShared } from "../../worker/store/org-rows.ts";
import { firstOrgId } from "../../worker/store/orgs.ts";
import { makeVault } from "../../worker/store/vault.ts";
import { LogWorld } from "../support/sealed-log.ts";
import { openRecord } from "./record.ts";

export const MASTER = "sk-master-000000000000";
const secrets = (byte: number) => ({
  current: 1,
  byVersion: new Map([[1, new Uint8Array(32).fill(byte)]]),
});

/** In the place of bcrypt. */
const hashed = (token: string) => createHash("sha256").update(token).digest("hex");

const LEARNED = {
  version: 2,
  arms: {
    gpt: {
      all: { good: 3, bad: 1 },
      tasks: { code: { good: 3, bad: 1 } },
      drift: 0,
    },
  },
};

export interface Answer {
  status: number;
  // Tests reach into answers by name.
  body: Record<string, never> & JsonObject;
  headers: Record<string, string>;
}

export interface World {
  deps: AdminDeps;
  changes: Change[];
  logs: JsonObject[];
  call: (
    key: string | null,
    method: string,
    path: string,
    input?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Answer>;
  /**
   * A call of an operation by one of its routes: the input goes into the path, the query or the body; `$invitation`
   * stands for the id of the invitation that was made last.
   */
  ask: (key: string | null, route: Route, input: Record<string, unknown>) => Promise<Answer>;
  /** The key that `make` got with a new user. */
  made: (userId: string) => string | undefined;
  /** A call with the master key that has to succeed. */
  make: (path: string, input: JsonObject) => Promise<Record<string, string>>;
  /** Rows of every table but the change log: nothing else may be written by a refused call. */
  rows: () => number;
}

/** The admin plane over the real store in memory; objects are replaced by direct calls. */
export function openWorld(now: () => number = Date.now): World {
  const { d1, sql } = openRecord();
  const db = openDb(d1);
  const peppers = secrets(1);
  const issued = (minted: MintedKey) => ({
    ...minted,
    hash: hashed(minted.token),
    pepperVersion: 1,
  });
  const changes: Change[] = [];
  const bundles = new Map<string, string>();
  const logs: JsonObject[] = [];
  let lastEvent = "";
  /** A decision that every organization has on record, under an id of its own in each world. */
  const decision: Omit<AuditRecord, "orgId"> = {
    eventId: `evt_${timeOrderedId(now())}`,
    type: "request.routed",
    at: now(),
    actor: "master",
    data: { model: "gpt", plan: [] },
  };
  const auditLogs = new Map<string, { log: LogWorld | null; waiting: AuditRecord[] }>();
  const auditOf = (orgId: string) => {
    const known = auditLogs.get(orgId) ?? { log: null, waiting: [{ ...decision, orgId }] };
    auditLogs.set(orgId, known);
    return known;
  };
  /** The log, made only where an operation looks at it: most tests never do. */
  const logOf = (orgId: string): LogWorld => {
    const known = auditOf(orgId);
    return (known.log ??= new LogWorld(orgId, now()));
  };
  /** The log's calls, each after what changes have handed to it. */
  const auditLog = (orgId: string): AuditLogPort => {
    const { port } = logOf(orgId);
    const { waiting } = auditOf(orgId);
    const after = async <T>(call: () => Promise<T>): Promise<T> => {
      const results = await port.append(waiting.splice(0));
      const refused = results.find((result) => !result.ok);
      if (refused) throw new Error(`The log refused an event: ${JSON.stringify(refused)}`);
      return call();
    };
    return {
      append: (records) => after(() => port.append(records)),
      list: (query) => after(() => port.list(query)),
      stand: (seal) => after(() => port.stand(seal)),
      proof: (eventId) => after(() => port.proof(eventId)),
      segments: (from, to) => after(() => port.segments(from, to)),
      unlink: (kind, id) => after(() => port.unlink(kind, id)),
    };
  };
  const log = (message: string, fields: JsonObject) => void logs.push({ message, ...fields });
  const unused = (name: string) => () => {
    throw new Error(`The admin plane used ${name}.`);
  };
  const directory: AdminDeps["directory"] = {
    async open(orgId, keyId) {
      const shared = await readShared(db, orgId);
      if (shared === null) throw new GatewayError("invalid_api_key", "Incorrect API key provided.");
      return { revision: 1, shared, ...(await readKey(db, orgId, keyId)) };
    },
    async openOrg(orgId) {
      const shared = await readShared(db, orgId);
      if (shared === null) throw new GatewayError("not_found", "There is no such organization.");
      return shared;
    },
    policiesOf: () => [],
    firstOrg: () => firstOrgId(db),
  };
  const keys: AdminDeps["keys"] = {
    known: () => null,
    parse: (token) => parseKey(peppers, token),
    async verify(token, key) {
      const row = await findKeyHash(db, key.orgId, key.keyId);
      if (row === null) return { valid: false, revision: 0 };
      const { hash, previous, revision } = row;
      const before = previous !== null && now() < previous.until && previous.hash === hashed(token);
      return { valid: hash === hashed(token) || before, revision };
    },
    isMaster: (token) => token === MASTER,
  };
  const signedKeys = makeSignedKeys(peppers, now);
  const vault = makeVault(secrets(2), new Map());
  const deps: AdminDeps = {
    db,
    auditLog,
    auditArchive: (orgId) => logOf(orgId).archive,
    witnesses: [],
    inputSecret: () => ({ version: 1, secret: new Uint8Array(32) }),
    learning: {
      ready: () => null,
      learned: () => null,
      observe: () => undefined,
      judge: async () => "absent",
    },
    delivery: () => ({ tell: async () => undefined }),
    deliveries: () => ({
      undelivered: async () => ({ deliveries: [], waiting: 0, dead: 1 }),
      countOf: async (ids) => ids?.length ?? 1,
      resend: async () => undefined,
    }),
    health: trusting,
    healthObject: () => ({
      sync: async () => [],
      probe: async () => false,
      expect: async () => undefined,
      checked: async () => undefined,
      view: async () => [],
      history: async () => [],
    }),
    learningObject: () => ({
      observe: async () => undefined,
      judge: async () => "absent",
      snapshot: async (version) => (version === null || version < 3 ? LEARNED : null),
      versions: async () => [{ version: 2, at: now() }],
      revert: async (version) => (version < 3 ? 3 : null),
    }),
    books: () => ({ spend: async () => [] }),
    metrics: { request: () => undefined, audit: () => undefined },
    issueKey: async (orgId) => issued(mintKey(peppers, orgId)),
    reissueKey: async (orgId, keyId) => issued(remintKey(peppers, { orgId, keyId })),
    settings: {
      profile: "self-hosted",
      allowPrivateUpstreams: false,
      litellmHeaders: true,
      maxBodyBytes: 32 * 1024 * 1024,
      auditRetentionDays: 365,
    },
    directory,
    keys,
    signedKeys,
    invitationTokens: makeInvitationTokens(peppers),
    rotation: { kek: 2, pepper: 1, rewrap: vault.rewrap },
    prove: (call) => proveCredential({ directory, keys, signedKeys, now }, call),
    vault,
    authorizer: new RoleAuthorizer(),
    detectors: {},
    previewRouters: () => ({}),
    policyArchive: {
      save: async (_orgId, hash, text) => void bundles.set(hash, text),
      load: async (_orgId, hash) => bundles.get(hash) ?? null,
    },
    control: (orgId) => ({
      open: unused("control.open"),
      sync: unused("control.sync"),
      keepBundle: async () => undefined,
      async apply(change) {
        changes.push(change);
        const outcome = await writeChange(d1, orgId, change, now());
        if (outcome.kind === "applied") {
          auditOf(orgId).waiting.push(...change.events);
          lastEvent = change.events.at(-1)?.eventId ?? lastEvent;
          return { ok: true, revision: changes.length };
        }
        if (outcome.kind === "conflict") return { ok: false, conflict: outcome.what };
        throw new Error(`The record answered ${outcome.kind}.`);
      },
    }),
    log: { info: log, warn: log, error: log },
    now,
    addressOf: () => "10.0.0.1",
    waitUntil: () => undefined,
    platformKey: (provider) => (provider === "openai" ? "sk-platform" : null),
    isolate: undefined as never,
    account: undefined as never,
    audit: undefined as never,
    upstream: { send: async () => Response.json({ data: [] }) },
  };
  const app = new Hono();
  mountAdmin(app, () => deps);
  app.notFound((c) => c.json({ error: { message: "There is no such path." } }, 404));

  const made = new Map<string, string>();
  let invitation = "";
  const call: World["call"] = async (key, method, path, input, headers = {}) => {
    const answer = await app.request(path, {
      method,
      headers: {
        ...(key !== null && { authorization: `Bearer ${key}` }),
        "content-type": "application/json",
        ...headers,
      },
      ...(input !== undefined && {
        body: typeof input === "string" ? input : JSON.stringify(input),
      }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get("content-type")?.startsWith("application/json") === true;
    return {
      status: answer.status,
      body: text === "" ? {} : isJson ? JSON.parse(text) : { text },
      headers: Object.fromEntries(answer.headers),
    };
  };
  const ask: World["ask"] = (key, { method, path }, input) => {
    const rest = Object.fromEntries(
      Object.entries(input).map(([name, value]) => [
        name,
        value === "$invitation"
          ? invitation
          : value === "$event"
            ? lastEvent
            : value === "$decision"
              ? decision.eventId
              : value,
      ]),
    );
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const value = rest[name] ?? "";
      const text = typeof value === "string" ? value : JSON.stringify(value);
      delete rest[name];
      return encodeURIComponent(text.toWellFormed());
    });
    if (method !== "GET") return call(key, method, filled, rest);
    const query = new URLSearchParams(
      Object.entries(rest).map(([name, value]): [string, string] => [
        name,
        typeof value === "string" ? value : JSON.stringify(value),
      ]),
    ).toString();
    return call(key, method, query === "" ? filled : `${filled}?${query}`);
  };
  const tables = sql
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    .all()
    .map((row) => String(row["name"]));
  return {
    deps,
    changes,
    logs,
    call,
    ask,
    made: (userId) => made.get(userId),
    async make(path, input) {
      const put = path.startsWith("PUT ");
      const answer = await call(MASTER, put ? "PUT" : "POST", put ? path.slice(4) : path, input);
      if (answer.status !== 200) {
        throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
      }
      const body = answer.body as unknown as Record<string, string>;
      if (path === "/invitation/new") invitation = body["id"] ?? "";
      if (path === "/user/new" && body["key"] !== undefined) {
        made.set(body["user_id"] ?? "", body["key"]);
      }
      return body;
    },
    rows: () =>
      tables.reduce(
        (sum, name) => sum + Number(sql.prepare(`select count(*) as n from ${name}`).get()?.["n"]),
        0,
      ),
  };
}
