// The folder that a gateway keeps its state in: made, writable, and held by one process at a time.
import { access, constants, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * Makes STATE_DIR (mode 700) and holds it until this process ends, however it ends: two runtimes over one database
 * would each believe theirs. Resolves to what lets go of it; throws an Error for the operator.
 */
export async function openState(stateDir: string): Promise<() => void> {
  try {
    await mkdir(stateDir, { recursive: true, mode: 0o700 });
    await access(stateDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`STATE_DIR ${stateDir} is not writable: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const lock = new DatabaseSync(join(stateDir, "lock"));
  try {
    lock.exec("PRAGMA busy_timeout = 2000; BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!/locked/.test((error as Error).message)) throw error;
    throw new Error(
      `STATE_DIR ${stateDir} is in use by another gateway; stop it or set STATE_DIR`,
      {
        cause: error,
      },
    );
  }
  return () => lock.close();
}
