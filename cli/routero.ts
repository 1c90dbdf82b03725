// The command line of a gateway: `npm run -s routero -- <command> …`
import { createReadStream } from "node:fs";
import { auditCommand } from "./audit.ts";
import { Unreadable } from "./audit-objects.ts";
import { bootstrap } from "./bootstrap.ts";
import { classifyLines } from "./classify.ts";
import { gatewayOf, Unreachable } from "./gateway.ts";
import { rotate } from "./keys.ts";
import { policyCommand } from "./policy.ts";
import { RouteError, routePrompt, routeText } from "./route.ts";
import { parsed, UsageError, type Output } from "./usage.ts";

const usage = `Usage: npm run -s routero -- <command> [options]

A deployment
  bootstrap        make the first organization, team, user and key
  keys rotate      move stored provider credentials to the newest key-encryption key, while serving

Policies
  policy check | test | apply | rollback | simulate | explain

The audit log
  audit export | verify | prove | check-proof | replay

The smart router, offline
  route "PROMPT"   where it would send a prompt, what it weighed, and why
  classify         task and difficulty of many prompts

<command> --help tells more of each. What a script needs goes to standard output, everything else to standard error.
Exit codes: 0 done, 1 refused or something is wrong, 2 wrong usage, 3 no gateway or file could be read.
`;

const gatewayOptions = `
Options
  --url URL          address of the gateway     (or ROUTERO_URL)
  --master-key KEY   the gateway's master key   (or MASTER_KEY)
`;

const helpOf: Record<string, string> = {
  bootstrap: `Usage: npm run -s routero -- bootstrap [options]

Makes the organization "default" with a team, a user and a key, and prints the key. What is there already stays as it is;
the key is shown once.
${gatewayOptions}`,
  keys: `Usage: npm run -s routero -- keys rotate [options]

Moves the stored provider credentials of every organization to the newest key-encryption key (KEK), batch by batch, while the
gateway serves. Safe to interrupt and to repeat. docs/design/keys.md tells the whole rotation.
${gatewayOptions}`,
  route: `Usage: npm run -s routero -- route "PROMPT" [options]

Where the smart router would send a prompt, what it weighed, and why. Asks no gateway.

Options
  --dial NAME          quality, balanced, fast, cheap, or 0 to 10 (balanced)
  --models a/b,c/d     the models to choose among, as provider/model; a usual handful if not given
  --json               the explanation as JSON
`,
  classify: `Usage: npm run -s routero -- classify --jsonl [FILE]

Reads {id, prompt} or {id, messages}, one a line, from the file or from standard input, and writes
{id, score, category, difficulty, ms}, one a line. Asks no gateway.
`,
};

const output: Output = {
  out: (line) => console.log(line),
  err: (line) => console.error(line),
};

async function main(words: string[]): Promise<number> {
  const [command, ...rest] = words;
  if (command === "policy") return policyCommand(rest, output);
  if (command === "audit") return auditCommand(rest, output);
  if (command === undefined || command === "help" || words.includes("--help")) {
    process.stdout.write(helpOf[command ?? ""] ?? usage);
    return command === undefined ? 2 : 0;
  }
  if (command === "bootstrap") return runBootstrap(rest);
  if (command === "keys") return runKeys(rest);
  if (command === "classify") return runClassify(rest);
  if (command === "route") return runRoute(rest);
  throw new UsageError(`there is no command "${command}"; --help lists them`);
}

async function runBootstrap(words: string[]): Promise<number> {
  const made = await bootstrap(readOptions(words));
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

async function runKeys([what, ...words]: string[]): Promise<number> {
  if (what !== "rotate") throw new UsageError("keys takes rotate; keys --help tells more");
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
  const { values, positionals } = parsed({
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
    throw new UsageError("route takes one prompt, in quotation marks; route --help tells more");
  }
  const models = values.models.split(",").filter((each) => each !== "");
  const said = routePrompt({ prompt, dial: values.dial, models });
  process.stdout.write(values.json ? `${JSON.stringify(said, null, 2)}\n` : routeText(said));
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
  const options = { url: { type: "string" }, "master-key": { type: "string" } } as const;
  const { values } = parsed({ args: words, options });
  const key = values["master-key"] ?? process.env["MASTER_KEY"];
  const gateway = gatewayOf({ url: values.url, key }, "--master-key");
  return { url: gateway.url, masterKey: gateway.key };
}

// Who reads no further (`| head`) wants no more, and no fault told.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`routero: ${(error as Error).message}`);
  const usages = error instanceof UsageError || error instanceof RouteError;
  const away = error instanceof Unreachable || error instanceof Unreadable;
  process.exitCode = usages ? 2 : away ? 3 : 1;
}
