// Reading with bounds and writing whole: a file is its old or its new self, never part of one.
import { closeSync, constants, fchmodSync, fstatSync, fsyncSync, openSync, readSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";

const LIMIT_BYTES = 4 * 1024 * 1024;

/** A file that is there but can't be used; the message never quotes what is in it. */
export class Unusable extends Error {}

/** The text of a file, or undefined when there is none. */
export function readText(path) {
  let fd;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe in its place must not hang the start
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return decode(readAll(fd));
  } finally {
    closeSync(fd);
  }
}

function readAll(fd) {
  const stat = fstatSync(fd);
  if (!stat.isFile()) throw new Unusable("it is not a regular file");
  if (stat.size > LIMIT_BYTES) throw new Unusable(`it is larger than ${LIMIT_BYTES} bytes`);
  const bytes = Buffer.alloc(stat.size);
  let length = 0;
  for (let count; length < bytes.length && (count = readSync(fd, bytes, length, bytes.length - length, null)) > 0; ) length += count;
  return bytes.subarray(0, length);
}

function decode(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Unusable("it is not UTF-8 text");
  }
}

/** Replaces a file through a temporary one beside it. Keeps the mode of the old one; follows a link to it. */
export function writeText(path, text, mode) {
  const target = existing(path);
  const temporary = join(dirname(target), `.${basename(target)}.moorage-tmp`);
  rmSync(temporary, { force: true }); // what an earlier start left when it was killed
  const fd = openSync(temporary, "wx", 0o600);
  try {
    writeFileSync(fd, text);
    fchmodSync(fd, modeOf(target) ?? mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, target);
  syncDirectory(dirname(target));
}

function existing(path) {
  try {
    return realpathSync(path);
  } catch (error) {
    if (error.code === "ENOENT") return resolve(path);
    throw error;
  }
}

function modeOf(path) {
  let fd;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
  const { mode } = fstatSync(fd);
  closeSync(fd);
  return mode & 0o7777;
}

function syncDirectory(path) {
  const fd = openSync(path, "r");
  fsyncSync(fd); // or the rename itself could be lost with the power
  closeSync(fd);
}

/** A document from JSON, or from JSON5 with the image's own parser; {doc, strict}. */
export function parseDocument(text, packageFile) {
  if (text.trim() === "") return { doc: {}, strict: true };
  for (const [strict, parse] of [[true, JSON.parse], [false, (source) => json5(packageFile).parse(source)]]) {
    try {
      const doc = parse(text);
      if (typeof doc === "object" && doc !== null && !Array.isArray(doc)) return { doc, strict };
    } catch {
      // Parsers quote the text in their messages, and it may hold secrets.
    }
  }
  throw new Unusable("it is not an object in JSON or JSON5");
}

function json5(packageFile) {
  const found = createRequire(packageFile)("json5");
  return found.default ?? found;
}

/** The package.json of the gateway that a command starts: the nearest one named openclaw above its script. */
export function gatewayPackage(command) {
  const script = command.slice(1).find((word) => !word.startsWith("-")) ?? ".";
  for (const start of [existing(script), resolve("package.json"), "/app/package.json"])
    for (let folder = dirname(start); ; folder = dirname(folder)) {
      const found = readPackage(join(folder, "package.json"));
      if (found?.name === "openclaw") return { file: join(folder, "package.json"), version: String(found.version) };
      if (folder === dirname(folder)) break;
    }
  return { file: resolve("package.json"), version: undefined };
}

function readPackage(file) {
  try {
    return JSON.parse(readText(file) ?? "null");
  } catch {
    return undefined;
  }
}
