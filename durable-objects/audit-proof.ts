import { fromHex, toBase64 } from "../worker/core/bytes.ts";
import type { Proof } from "../worker/core/audit.ts";
import { tileReader } from "../worker/core/sealed-log/find.ts";
import { leafText } from "../worker/core/sealed-log/leaf.ts";
import { inclusionProof } from "../worker/core/sealed-log/merkle.ts";
import { proofText } from "../worker/core/sealed-log/proof.ts";
import { tileNodes } from "../worker/core/sealed-log/tiles.ts";
import type { AuditArchive } from "../worker/store/audit-archive.ts";
import type { Stored } from "./audit-log-machine.ts";
import type { SealState } from "./audit-sealer.ts";

/** Proves that a record is in the log that the newest checkpoint signs; null while it is not sealed. */
export async function prove(
  row: Stored,
  record: string | null,
  { size, checkpoint }: SealState,
  archive: Pick<AuditArchive, "read">,
): Promise<Proof | null> {
  const { sequence, eventId, recordHash, previous } = row;
  if (recordHash === null || previous === null) return null;
  const index = sequence - 1;
  const nodes = tileNodes(size, tileReader({ get: archive.read }));
  const path = await inclusionProof(nodes, index, size);
  const leaf = leafText({
    sequence,
    eventId,
    previous: fromHex(previous),
    recordHash: fromHex(recordHash),
  });
  const hashes = path.map(toBase64);
  return {
    record,
    leaf,
    index,
    size,
    hashes,
    checkpoint,
    proof: proofText(leaf, index, path, checkpoint),
  };
}
