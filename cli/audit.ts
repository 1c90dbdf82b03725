// `routero audit …`: takes a log out of a gateway and checks it without one.
import { readFile } from "node:fs/promises";
import { readCheckpoint } from "../worker/core/sealed-log/checkpoint.ts";
import type { Checkpoint } from "../worker/core/sealed-log/checkpoint.ts";
import { proofFrom } from "../worker/core/sealed-log/find.ts";
import { readVerifierKey } from "../worker/core/sealed-log/note.ts";
import type { NoteKey } from "../worker/core/sealed-log/note.ts";
import { checkProof } from "../worker/core/sealed-log/proof.ts";
import type { Fault, LogObjects, Report } from "../worker/core/sealed-log/report.ts";
import { verifyLog } from "../worker/core/sealed-log/verify.ts";
import {
  download,
  folderObjects,
  gatewayObjects,
  readFrom,
  saveIn,
  Unreadable,
} from "./audit-objects.ts";
import { replayLog } from "./audit-replay.ts";
import { gatewayOf, type Gateway } from "./gateway.ts";
import { parsed, UsageError, type Output } from "./usage.ts";

const usage = `Usage: npm run -s routero -- audit <command> [options]

Commands
  export DIR              copy a log's sealed objects out of a gateway; into an earlier copy, too, of which nothing is
                          replaced but the head: verify DIR then shows whether the log went on from there
  verify DIR|URL          rebuild the log from its records: chain, tree, checkpoints, signatures, every byte
  prove DIR|URL EVENT_ID  the proof that an event is in the log, as a text that is checked offline
  check-proof FILE        check such a proof; --record FILE compares the record's text, too
  replay DIR|URL [EVENT_ID]
                          decide one request, or all of them, anew from the record and the archived policies

Options
  --since FILE            verify: a checkpoint that was kept elsewhere; proves that nothing before it was changed
  --trust KEY             verify, check-proof: the log's public key, as keys/<id>.json has it (name+id+base64); may be
                          given several times
  --witness KEY           verify: a witness that has to have cosigned the log; may be given several times
  --json                  verify: the whole report as JSON
  --url URL               the gateway              (or ROUTERO_URL)
  --key KEY               a key that may read the log (or ROUTERO_KEY, or MASTER_KEY)
  --organization ORG      whose log; the key's own if not given

Exit codes: 0 sound or done · 1 something is wrong with the log or the proof · 2 wrong usage · 3 can't be read
`;

const OPTIONS = {
  since: { type: "string" },
  trust: { type: "string", multiple: true },
  witness: { type: "string", multiple: true },
  record: { type: "string" },
  json: { type: "boolean" },
  url: { type: "string" },
  key: { type: "string" },
  organization: { type: "string" },
} as const;

/** Runs one command; returns the exit code of what was found. Throws `UsageError` and `Unreadable`. */
export async function auditCommand(words: string[], output: Output): Promise<number> {
  const [command, ...rest] = words;
  if (command === undefined || rest.includes("--help") || command === "--help") {
    output.out(usage.trimEnd());
    return command === undefined ? 2 : 0;
  }
  const { values, positionals } = parsed({ args: rest, options: OPTIONS, allowPositionals: true });
  const [place, second] = positionals;
  const gateway = (url = values.url): Gateway => {
    const key = values.key ?? process.env["ROUTERO_KEY"] ?? process.env["MASTER_KEY"];
    const { organization } = values;
    return { ...gatewayOf({ url, key }), ...(organization !== undefined && { organization }) };
  };
  const needs = (what: string): string => {
    if (place === undefined)
      throw new UsageError(`${command} needs ${what}; audit --help tells more`);
    return place;
  };
  const progress = steps(output);
  const from = async (where: string): Promise<LogObjects> =>
    /^https?:\/\//.test(where)
      ? gatewayObjects(gateway(where), (count) => progress(`${count} objects read`))
      : folderObjects(where);
  switch (command) {
    case "export": {
      const folder = needs("a folder");
      const keep = (name: string, bytes: Uint8Array) => saveIn(folder, name, bytes);
      const { count, differ } = await download(gateway(), keep, (n) =>
        progress(`${n} objects written`),
      );
      output.out(`${count} objects in ${folder}`);
      for (const name of differ)
        output.out(
          `  ${name} is not what ${folder} has of an earlier export, which stays as it is`,
        );
      return differ.length === 0 ? 0 : 1;
    }
    case "verify": {
      const where = needs("a folder or a gateway's address");
      const objects = await from(where);
      const report = await verifyLog(objects, {
        trusted: (values.trust ?? []).map((key) => keyOf(key)),
        witnesses: (values.witness ?? []).map((key) => keyOf(key, "witness")),
        ...(values.since !== undefined && { since: await checkpointIn(values.since) }),
        progress: (done, total) => progress(`${done} of ${total} records`),
      });
      output.out(values.json === true ? JSON.stringify(report, null, 2) : told(report).join("\n"));
      return report.faults.length === 0 ? 0 : 1;
    }
    case "prove": {
      const where = needs("a folder or a gateway's address");
      if (second === undefined) throw new UsageError("prove needs an event id");
      if (/^https?:\/\//.test(where)) {
        const path = `/audit-log/${encodeURIComponent(second)}/proof?format=text`;
        output.out((await readFrom(gateway(where), path)).trimEnd());
        return 0;
      }
      const objects = folderObjects(where);
      // A folder that holds no log can't be read; what is missing of one that does is a fault.
      await objects.names();
      const found = await proofFrom(objects, second);
      if (found === null) {
        output.err(`the log has no event ${second}`);
        return 1;
      }
      output.out(found.proof.trimEnd());
      return 0;
    }
    case "check-proof": {
      const text = await fileText(needs("a file with a proof"));
      const record = values.record === undefined ? null : await fileText(values.record);
      const keys = (values.trust ?? []).map((key) => keyOf(key));
      if (keys.length === 0)
        throw new UsageError("check-proof needs --trust with the log's public key");
      const proved = await checkProof(text, record?.replace(/\n$/, "") ?? null, keys);
      if ("wrong" in proved) {
        output.out(`not proved: ${proved.wrong}`);
        return 1;
      }
      const { leaf, checkpoint } = proved;
      const place = `record ${leaf.sequence} of ${checkpoint.origin}`;
      const signed = `as signed at ${new Date(checkpoint.at).toISOString()} over ${checkpoint.size} records`;
      output.out(inOneLine(`proved: ${leaf.eventId} is ${place}, ${signed}`));
      if (record === null) output.out("Its text was not compared: --record FILE does that.");
      return 0;
    }
    case "replay": {
      const objects = await from(needs("a folder or a gateway's address"));
      let [count, odd, partly] = [0, 0, 0];
      for await (const event of replayLog(objects, second ?? null)) {
        count += 1;
        const wrong = !event.same || event.missing.length > 0;
        if (wrong) odd += 1;
        else if (event.unknown.length > 0) partly += 1;
        if (second !== undefined) output.out(JSON.stringify(event, null, 2));
        else if (wrong)
          output.out(
            inOneLine(
              `${event.eventId}: ${[...event.differs, ...event.missing].join(", ")} differ or are missing`,
            ),
          );
        progress(`${count} decisions`);
      }
      if (second !== undefined && count === 0) {
        output.err(`the log has no decision ${second}`);
        return 1;
      }
      const noted =
        partly > 0 ? `; ${partly} of them in part: their records do not hold all of it` : "";
      output.out(`${count} decisions made anew, ${count - odd} the same, ${odd} not${noted}`);
      return odd === 0 ? 0 : 1;
    }
    default:
      throw new UsageError(`there is no command "audit ${command}"; audit --help lists them`);
  }
}

function keyOf(text: string, kind: NoteKey["kind"] = "log"): NoteKey {
  const key = readVerifierKey(text);
  if (key?.kind === kind) return key;
  const option = kind === "log" ? "--trust" : "--witness";
  throw new UsageError(`${option} needs a key of a ${kind} in the form name+id+base64`);
}

/** A checkpoint that was kept: the signed note, or the gateway's JSON that has it as a member. */
async function checkpointIn(file: string): Promise<Checkpoint> {
  const text = await fileText(file);
  const member = /"checkpoint":\s*("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  const read = readCheckpoint(member === undefined ? text : (JSON.parse(member) as string));
  if (read !== null) return read.checkpoint;
  throw new Unreadable(
    `${file} is no checkpoint: --since needs what GET /audit-log/checkpoint?format=text answered`,
  );
}

async function fileText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((cause: Error) => {
    throw new Unreadable(`${file} can't be read: ${cause.message}`);
  });
}

/** Says how far it is, twice a second at most. */
function steps({ err }: Output): (line: string) => void {
  let next = Date.now() + 500;
  return (line) => {
    if (Date.now() < next) return;
    next = Date.now() + 500;
    err(line);
  };
}

/** The report in words: what was checked, what is wrong and where, and what can't be excluded. */
function told(report: Report): string[] {
  const { origin, size, root, at, checkpoints, records, expired, keys, faults, limits } = report;
  const lines = [
    `log         ${origin ?? "of no name"}`,
    ...(at === null ? [] : [`head        ${new Date(at).toISOString()}, root ${root}`]),
    `records     ${size}; ${records} read${expired > 0 ? `, the texts of ${expired} are gone` : ""}`,
    `checkpoints ${checkpoints}, each against the tree of its own size`,
    ...keys.map(
      ({ keyId, trustedBy, from, to, retired }) =>
        `key         ${keyId}, trusted by ${trustedBy}, ${from === null ? "signed nothing" : `signed checkpoints ${from} to ${to}`}${retired ? ", retired" : ""}`,
    ),
    ...report.witnesses.map(
      ({ name, size: to, at: seen, trustedBy }) =>
        `witness     ${name}, trusted by ${trustedBy}, saw the first ${to} records at ${new Date(seen).toISOString()}`,
    ),
    "",
    faults.length === 0
      ? "SOUND"
      : `NOT SOUND: ${faults.length} ${faults.length === 1 ? "fault" : "faults"}`,
    ...inFew(faults),
  ];
  return [...lines, ...limits.map((limit) => `note: ${limit}`)].map(inOneLine);
}

/** Names and texts of a log that is checked are anybody's: none of them moves a cursor or begins a line of its own. */
function inOneLine(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`,
  );
}

/** Faults that say the same, of which are shown in words; what more there is of them is counted. */
const SHOWN_ALIKE = 3;
const SHOWN = 100;

/** Faults in words, in their order, those that say the same of many objects or records together. */
function inFew(faults: readonly Fault[]): string[] {
  const alike = new Map<string, Fault[]>();
  for (const fault of faults) {
    // What is the same but for an id or a number is the same.
    const key = fault.says.replaceAll(/evt_\w+|\d+/g, "#");
    alike.set(key, [...(alike.get(key) ?? []), fault]);
  }
  const lines = [...alike.values()].flatMap((group) => {
    const shown = group.slice(0, SHOWN_ALIKE).map(inWords);
    const [more, last] = [group.length - shown.length, group.at(-1)];
    if (more === 1 && last !== undefined) return [...shown, inWords(last)];
    return more === 0 || last === undefined
      ? shown
      : [...shown, `  … and ${more} more like these, the last at ${placeOf(last)}`];
  });
  if (lines.length <= SHOWN) return lines;
  return [...lines.slice(0, SHOWN), `  … and more (--json has them)`];
}

function inWords(fault: Fault): string {
  return `  ${placeOf(fault)}${fault.sequence === undefined ? "" : ":"} ${fault.says}`;
}

function placeOf({ object, sequence }: Fault): string {
  return sequence === undefined ? object : `${object}, record ${sequence}`;
}
