// Runs in front of the gateway, as the Machine's command:
//   node /opt/moorage/entry.mjs -- node dist/index.js gateway ...
// Merges the keys that the operator owns into the volume, starts the gateway, hands signals on, and gives each
// end of it an exit code that tells the operator what happened. No dependencies; Node 20 or later.
import { spawn } from "node:child_process";
import { accessSync, constants as fsConstants, copyFileSync, mkdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { constants as osConstants } from "node:os";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { gatewayPackage, parseDocument, readText, Unusable, writeText } from "./files.mjs";
import { chooseDialect, mergeConfig, mergeIdentity, removeAbsent, unionOfValues } from "./merge.mjs";

const EX_TEMPFAIL = 75; // start again
const EX_CONFIG = 78; // starting again won't help
const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
const OTHER_SIGNALS = ["SIGUSR1", "SIGUSR2"];

/** A start that can't succeed until someone mends its cause. Ends with exit 0, which the restart policy
 *  leaves alone; every other unasked end of this program is non-zero, so 0 says just this. */
class ReportedStop extends Error {}

const say = (message) => console.error(`moorage: ${message}`);

function stateDirectory() {
  const path = process.env.OPENCLAW_STATE_DIR;
  if (!path) throw new ReportedStop("OPENCLAW_STATE_DIR is not set; it must name the folder on the volume");
  try {
    if (!statSync(path).isDirectory()) throw new ReportedStop(`${path} is not a folder; is the volume mounted?`);
    accessSync(path, fsConstants.R_OK | fsConstants.W_OK | fsConstants.X_OK);
  } catch (error) {
    if (error instanceof ReportedStop) throw error;
    throw new ReportedStop(`the state folder ${path} is missing or can't be written (${error.code}); is the volume mounted, and owned by the image's user?`);
  }
  return path;
}

/** Only one entry for one state folder. The kernel frees the name when this process ends, however it ends. */
function lock(state) {
  const { dev, ino } = statSync(state);
  const server = createServer().unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(`\0moorage-entry-${dev}-${ino}`, resolve);
  });
}

function readRecord(path) {
  try {
    const { values } = JSON.parse(readText(path) ?? "{}");
    const sound = ([, written]) => Array.isArray(written);
    return Object.fromEntries(Object.entries(values ?? {}).filter(sound));
  } catch (error) {
    if (error.syscall) throw error;
    say(`${path} can't be read; nothing that was ours before is removed this time`);
    return {};
  }
}

function writeRecord(path, before, values) {
  if (!isDeepStrictEqual(before, values)) writeText(path, `${JSON.stringify({ schema: 1, values }, null, 2)}\n`, 0o600);
}

/** Merges our keys into openclaw.json. The record claims them before they are written and lets go of the
 *  others after, so that a kill at any point leaves nothing of ours that isn't known to be ours. */
function applyConfig(state, settings, gateway) {
  const path = join(state, "openclaw.json");
  const text = readText(path);
  const { doc, strict } = parseDocument(text ?? "", gateway.file);
  const recordPath = join(state, ".moorage", "owned.json");
  const base = readRecord(recordPath);
  const dialect = chooseDialect(doc, gateway.version, settings.entriesSince);
  const { doc: merged, values } = mergeConfig(doc, settings.owned, dialect, base);
  for (const key of removeAbsent(merged, settings.absent)) say(`removed ${key.join(".")} from openclaw.json: the environment sets it`);
  if (text !== undefined && isDeepStrictEqual(doc, merged)) return writeRecord(recordPath, base, values);
  const claimed = unionOfValues(base, values);
  writeRecord(recordPath, base, claimed);
  if (!strict) copyFileSync(path, join(state, ".moorage", "openclaw.json5.bak")); // its comments can't be kept
  writeText(path, `${JSON.stringify(merged, null, 2)}\n`, 0o600);
  writeRecord(recordPath, claimed, values);
}

function applyIdentity({ path, name, content }) {
  const text = readText(path);
  const next = text === undefined ? content : mergeIdentity(text, name);
  if (next === text) return;
  mkdirSync(dirname(path), { recursive: true });
  writeText(path, next, 0o644);
}

function apply(what, path, action) {
  try {
    action();
  } catch (error) {
    if (error instanceof Unusable) return say(`${path} is left as it is: ${error.message}; ${what} is not applied`);
    throw new ReportedStop(`can't apply ${what} (${error.code ?? error.name} on ${error.path ?? path}); is the volume full or read-only?`);
  }
}

function prepare(state, command) {
  const settings = JSON.parse(readText(new URL("./settings.json", import.meta.url)) ?? "null");
  if (!settings) throw new ReportedStop("settings.json is missing beside the entry script");
  apply("the record folder", state, () => mkdirSync(join(state, ".moorage"), { recursive: true, mode: 0o700 }));
  apply("the declared configuration", join(state, "openclaw.json"), () => applyConfig(state, settings, gatewayPackage(command)));
  if (settings.identity) apply("the persona", settings.identity.path, () => applyIdentity(settings.identity));
}

/** Hands signals to the gateway; `asked` tells whether one of them asked it to stop. */
function forwardSignals() {
  const relay = { asked: false, child: undefined, early: [] };
  for (const signal of [...STOP_SIGNALS, ...OTHER_SIGNALS])
    process.on(signal, () => {
      relay.asked ||= STOP_SIGNALS.includes(signal);
      if (relay.child) relay.child.kill(signal);
      else relay.early.push(signal);
    });
  return relay;
}

/** Starts the gateway and waits for its end, without a limit: how long a stop may take is the Machine's matter. */
function run([program, ...args], relay) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("spawn", () => {
      relay.child = child;
      for (const signal of relay.early) child.kill(signal);
    });
  });
}

function exitCode({ code, signal }, asked) {
  if (signal) return 128 + osConstants.signals[signal];
  if (code === EX_CONFIG) throw new ReportedStop("gateway refused its configuration (exit 78); its own lines above say why. It stays stopped until that is mended");
  if (code !== 0 || asked) return code;
  say(`gateway ended by itself with exit 0; reported as ${EX_TEMPFAIL} so that it is started again`);
  return EX_TEMPFAIL;
}

async function main() {
  const relay = forwardSignals();
  const command = process.argv.slice(process.argv.indexOf("--") + 1);
  if (!process.argv.includes("--") || command.length === 0) throw new ReportedStop("no gateway command after --");
  const state = stateDirectory();
  try {
    await lock(state);
  } catch (error) {
    say(`another start holds ${state} (${error.code}); this one ends`);
    return EX_TEMPFAIL;
  }
  prepare(state, command);
  if (relay.asked) return 128 + osConstants.signals[relay.early.find((signal) => STOP_SIGNALS.includes(signal))];
  try {
    return exitCode(await run(command, relay), relay.asked);
  } catch (error) {
    if (error instanceof ReportedStop) throw error;
    throw new ReportedStop(`can't start the gateway: ${command[0]} (${error.code ?? error.name})`);
  }
}

main().then(
  (code) => process.exit(code),
  (error) => {
    const reported = error instanceof ReportedStop;
    say(reported ? error.message : `the entry script failed (${error.name}${error.code ? ` ${error.code}` : ""}); please report it`);
    process.exit(reported ? 0 : EX_TEMPFAIL);
  },
);
