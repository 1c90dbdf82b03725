import type { Deps } from "../core/ports.ts";
import type { SignedKeys } from "../identity/signed-key.ts";
import type { Db } from "../store/database.ts";
import type { IssuedKey } from "../store/key-verifier.ts";

/** What operations need beyond the request path's world. */
export interface AdminDeps extends Deps {
  /** The record; operations read it and write only through `control`. */
  db: Db;
  /** Makes a virtual key of an organization; its row is the operation's to write. */
  issueKey: (orgId: string) => Promise<IssuedKey>;
  signedKeys: SignedKeys;
}
