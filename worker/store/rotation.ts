import { and, asc, eq, gt, isNull, like, ne, not, or, sql } from "drizzle-orm";
import type { Statement } from "../core/ports.ts";
import type { CredentialRecord } from "../core/records.ts";
import { credentialRecord } from "./credentials.ts";
import { statement, writer } from "./database.ts";
import type { Db } from "./database.ts";
import { credentials, keys } from "./schema.ts";

/** A sealed text begins with the version of the key-encryption key that wraps it. */
function wrappedByAnother(orgId: string, kek: number) {
  return and(eq(credentials.orgId, orgId), not(like(credentials.sealed, `${kek}.%`)));
}

/** Credentials that another version than `kek` wraps, oldest first. */
export async function credentialsToRewrap(
  db: Db,
  orgId: string,
  kek: number,
  most: number,
): Promise<CredentialRecord[]> {
  const rows = await db
    .select()
    .from(credentials)
    .where(wrappedByAnother(orgId, kek))
    .orderBy(asc(credentials.createdAt), asc(credentials.id))
    .limit(most);
  return rows.map(credentialRecord);
}

/** How many credentials another version than `kek` still wraps. */
export function countToRewrap(db: Db, orgId: string, kek: number): Promise<number> {
  return db.$count(credentials, wrappedByAnother(orgId, kek));
}

/** How many of these sealed texts are the stored ones. */
export async function countSealed(db: Db, orgId: string, sealed: string[]): Promise<number> {
  const wanted = sql`select value from json_each(${JSON.stringify(sealed)})`;
  return db.$count(
    credentials,
    and(eq(credentials.orgId, orgId), sql`${credentials.sealed} in (${wanted})`),
  );
}

/** Puts a rewrapped text in the place of the one it was made from; a credential that changed meanwhile stays. */
export function replaceSealed(
  orgId: string,
  id: string,
  move: { from: string; to: string },
): Statement {
  return statement(
    writer
      .update(credentials)
      .set({ sealed: move.to })
      .where(
        and(
          eq(credentials.orgId, orgId),
          eq(credentials.id, id),
          eq(credentials.sealed, move.from),
        ),
      ),
  );
}

/** What proves a key at rest. */
interface KeyHash {
  hash: string;
  pepperVersion: number;
}

/**
 * Puts another hash of the same token in the place of the one it was proved against. The key's revision stays: nothing
 * about the key changed that anybody could see. A key that got another token meanwhile keeps that token's hash.
 */
export function rehashKey(
  orgId: string,
  keyId: string,
  move: { from: KeyHash; to: KeyHash },
): Statement {
  return statement(
    writer
      .update(keys)
      .set({ hash: move.to.hash, pepperVersion: move.to.pepperVersion })
      .where(and(eq(keys.orgId, orgId), eq(keys.id, keyId), eq(keys.hash, move.from.hash))),
  );
}

/** What of a key still needs another version of the pepper than the current one. */
export type PepperUse =
  /** The hash at rest: the key was not used since the current version came. */
  | "hash"
  /** Anything at all: the check inside its token, its hash, or its predecessor while that one still counts. */
  | "any";

function onOtherPepper(orgId: string, pepper: number, use: PepperUse, now: number) {
  const any = or(
    ne(keys.pepperVersion, pepper),
    ne(keys.checkVersion, pepper),
    and(
      gt(keys.previousUntil, now),
      or(ne(keys.previousPepperVersion, pepper), ne(keys.previousCheckVersion, pepper)),
    ),
  );
  return and(
    eq(keys.orgId, orgId),
    // What is expired is refused under any pepper.
    or(isNull(keys.expiresAt), gt(keys.expiresAt, now)),
    use === "hash" ? ne(keys.pepperVersion, pepper) : any,
  );
}

/** How many keys that are alive still need another version of the pepper than this. */
export function countOnOtherPepper(
  db: Db,
  orgId: string,
  pepper: number,
  use: PepperUse,
  now: number,
): Promise<number> {
  return db.$count(keys, onOtherPepper(orgId, pepper, use, now));
}

/** Their handles, oldest first. */
export async function keysOnOtherPepper(
  db: Db,
  orgId: string,
  pepper: number,
  use: PepperUse,
  request: { now: number; most: number },
): Promise<string[]> {
  const rows = await db
    .select({ handle: keys.handle })
    .from(keys)
    .where(onOtherPepper(orgId, pepper, use, request.now))
    .orderBy(asc(keys.createdAt), asc(keys.id))
    .limit(request.most);
  return rows.map((row) => row.handle);
}
