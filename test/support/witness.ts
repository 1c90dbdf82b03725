import { toBase64 } from "../../worker/core/bytes.ts";
import { readCheckpoint } from "../../worker/core/sealed-log/checkpoint.ts";
import {
  checkpointName,
  cosignatureName,
  keyFile,
  keyName,
} from "../../worker/core/sealed-log/layout.ts";
import { keyIdOf, signerOf } from "../../worker/core/sealed-log/note.ts";
import type { NoteSigner } from "../../worker/core/sealed-log/note.ts";
import type { MemoryArchive } from "./sealed-log.ts";

const utf8 = new TextEncoder();

/** A witness (C2SP tlog-witness), as a key that cosigns. */
export async function witnessOf(seed = 7): Promise<NoteSigner> {
  const signer = await signerOf("witness.example/w1", new Uint8Array(32).fill(seed));
  return { ...signer, kind: "witness" };
}

/** The line with which a witness says that it saw this checkpoint at a time, in Unix seconds. */
export async function cosignature(
  checkpoint: string,
  witness: NoteSigner,
  seconds = 1_800_000_100,
): Promise<string> {
  const body = readCheckpoint(checkpoint)?.note.body ?? "";
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  const signature = await witness.sign(utf8.encode(`cosignature/v1\ntime ${seconds}\n${body}`));
  const bytes = Buffer.concat([Buffer.from(keyIdOf(witness), "hex"), time, signature]);
  return `— ${witness.name} ${toBase64(bytes)}\n`;
}

/** Puts a cosignature of a checkpoint where the gateway keeps it. */
export async function cosign(archive: MemoryArchive, size: number, witness: NoteSigner) {
  const bytes = archive.objects.get(checkpointName(size));
  const line = await cosignature(new TextDecoder().decode(bytes), witness);
  archive.objects.set(keyName(keyIdOf(witness)), utf8.encode(keyFile(witness)));
  archive.objects.set(cosignatureName(size, keyIdOf(witness)), utf8.encode(line));
}
