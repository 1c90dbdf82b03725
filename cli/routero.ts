// The command line of a gateway: `npm run -s routero -- <command> …`
import { createReadStream } from "node:fs";
import { parseArgs } from "node:util";
import { auditCommand, AuditUsage } from "./audit.ts";
import { Unreadable } from "./audit-objects.ts";
import { bootstrap } from "./bootstrap.ts";
import { classifyLines } from "./classify.ts";
import { rotate } from "./keys.ts";
import { RouteError, routePrompt, routeText } from "./route.ts";
import { policyCommand, PolicyUnreachable, PolicyUsage } from "./policy.ts";

const usage = `Usage: npm run -s routero -- <command> [options]

Commands
  bootstrap   make the first organization, team, user and key of a gateway
  keys rotate rewrap stored provider credentials under the newest key-encryption key, while serving
  route "PROMPT" [--dial NAME] [--models a/b,c/d] [--json]
              offline: where the smart router would send a prompt, what it weighed, and why
  classify --jsonl [FILE]
              offline: {id, prompt} or {id, messages} a line in, {id, score, category, difficulty, ms} a line out
  policy check|test|apply|rollback|simulate|explain
              policy documents, offline and at a gateway; policy --help tells more
  audit export|verify|prove|check-proof|replay
              the audit log: out of a gateway, and checked without one; audit --help tells more

Options of bootstrap and keys
  --url URL          address of the gateway        (or ROUTERO_URL)
  --master-key KEY   the gateway's master key      (or MASTER_KEY)

What a script needs goes to standard output, everything else to standard error.
`;

/** A mistake on the command line; the process exits with 2. */
class UsageError extends Error {
  override name = "UsageError";
}

async function main(words: string[]): Promise<number> {
  const [command, ...rest] = words;
  if (command === "policy") {
    return policyCommand(rest, {
      out: (line) => console.log(line),
      err: (line) => console.error(line),
    });
  }
  if (command === "audit") {
    return auditCommand(rest, {
      out: (line) => console.log(line),
      err: (line) => console.error(line),
    });
  }
  if (command === undefined || command === "help" || words.includes("--help")) {
    process.stdout.write(usage);
    return command === undefined ? 2 : 0;
  }
  if (command === "bootstrap") return runBootstrap(rest);
  if (command === "keys" && rest[0] === "rotate") return runRotate(rest.slice(1));
  if (command === "classify") return runClassify(rest);
  if (command === "route") return runRoute(rest);
  throw new UsageError(`there is no command "${command}"; --help lists them`);
}

async function runBootstrap(words: string[]): Promise<number> {
  const { url, masterKey } = readOptions(words);
  const made = await bootstrap({ url, masterKey });
  console.error(`organization ${made.organization}, team ${made.team}, user ${made.user}`);
  if (made.key === null) {
    console.error(
      "the first key exists already and is shown only once; POST /key/generate makes another",
    );
    return 1;
  }
  console.log(made.key);
  return 0;
}

async function runRotate(words: string[]): Promise<number> {
  const progress = (line: string) => console.error(line);
  const { organizations, rewrapped, keysLeft, tokensLeft } = await rotate({
    ...readOptions(words),
    progress,
  });
  console.log(
    `organizations ${organizations}, rewrapped ${rewrapped}, left 0, keys that need an older pepper ${tokensLeft}, of them unused ${keysLeft}`,
  );
  return 0;
}

function runRoute(words: string[]): number {
  let said: ReturnType<typeof routePrompt>;
  let json = false;
  try {
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: {
        dial: { type: "string", default: "balanced" },
        models: { type: "string", default: "" },
        json: { type: "boolean", default: false },
      },
    });
    const [prompt] = positionals;
    if (prompt === undefined || positionals.length > 1) {
      throw new RouteError("route takes one prompt, in quotation marks");
    }
    json = values.json;
    const models = values.models.split(",").filter((each) => each !== "");
    said = routePrompt({ prompt, dial: values.dial, models });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  process.stdout.write(json ? `${JSON.stringify(said, null, 2)}\n` : routeText(said));
  return 0;
}

async function runClassify(words: string[]): Promise<number> {
  const files = words.filter((word) => word !== "--jsonl");
  if (!words.includes("--jsonl") || files.length > 1) {
    throw new UsageError(
      "classify takes --jsonl and at most one file; without one it reads standard input",
    );
  }
  const [file = "-"] = files;
  const input = file === "-" ? process.stdin : createReadStream(file, "utf8");
  const failed = await classifyLines(input, (line) => process.stdout.write(line));
  if (failed > 0) console.error(`routero: ${failed} lines could not be read`);
  return failed > 0 ? 1 : 0;
}

function readOptions(words: string[]): { url: string; masterKey: string } {
  let values: { url?: string | undefined; "master-key"?: string | undefined };
  try {
    const options = { url: { type: "string" }, "master-key": { type: "string" } } as const;
    ({ values } = parseArgs({ args: words, options }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const url = values.url ?? process.env["ROUTERO_URL"] ?? "";
  const masterKey = values["master-key"] ?? process.env["MASTER_KEY"] ?? "";
  if (!URL.canParse(url)) throw new UsageError("--url needs the gateway's address");
  if (masterKey === "") throw new UsageError("--master-key needs the gateway's master key");
  return { url: url.replace(/\/+$/, ""), masterKey };
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`routero: ${(error as Error).message}`);
  const usages = [UsageError, PolicyUsage, AuditUsage];
  const away = error instanceof PolicyUnreachable || error instanceof Unreadable;
  process.exitCode = usages.some((kind) => error instanceof kind) ? 2 : away ? 3 : 1;
}
