// Installs what package-lock.json names, once per version of that file.
// The only file that must run on the Node a fresh machine brings (20 or newer), before anything is
// installed: plain JavaScript, no dependencies. Later runs cost one hash and one read.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const stampFile = join(modules, ".routero-lock");

if (Number(process.versions.node.split(".")[0]) < 20) {
  console.error(`Routero needs Node 20 or newer to install itself; this is ${process.version}.`);
  process.exit(1);
}

const wanted = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex");

/** True if the last install finished and was for this very lock file. */
function installed() {
  const binary = join(modules, ".bin", process.platform === "win32" ? "node.cmd" : "node");
  if (!existsSync(join(modules, ".package-lock.json")) || !existsSync(binary)) return false;
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === wanted;
}

if (!installed()) {
  console.log("routero: installing dependencies (once, about 20 seconds) …");
  const started = Date.now();
  // One string for the shell, because npm is npm.cmd on Windows; nothing in it comes from outside.
  const result = spawnSync("npm ci --no-audit --no-fund --loglevel=error", {
    cwd: root,
    stdio: "inherit",
    shell: true,
  });
  if (result.error) console.error(`routero: npm could not be started: ${result.error.message}`);
  if (result.status !== 0) {
    console.error("routero: `npm ci` failed; its own message is above.");
    process.exit(result.status ?? 1);
  }
  writeFileSync(stampFile, wanted);
  console.log(`routero: dependencies ready after ${Math.round((Date.now() - started) / 1000)} s`);
}
