// What of openclaw.json and IDENTITY.md is ours, and how it is merged with what the customer wrote.
// Pure: no file, clock or process is touched here.

const AGENTS = "*"; // stands for `list` or `entries`, so that a file which moved from one to the other keeps its base
const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isAgent = (id) => (item) => isRecord(item) && typeof item.id === "string" && item.id.trim().toLowerCase() === id;

/** Which rendering of the owned keys suits this file and this version: "list" or "entries".
 *  A file that still has `agents.list` stays so: newer gateways move it themselves, with all that hangs on it.
 *  Every known version boots on "list"; so that is the choice when the version can't be told. */
export function chooseDialect(doc, version, entriesSince) {
  const agents = isRecord(doc.agents) ? doc.agents : {};
  if (Object.hasOwn(agents, "entries")) return "entries";
  if (Array.isArray(agents.list)) return "list";
  return atLeast(version, entriesSince) ? "entries" : "list";
}

function atLeast(version, since) {
  const match = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})/.exec(String(version ?? ""));
  if (!match) return false;
  const parts = match.slice(1).map(Number);
  const differs = parts.findIndex((part, index) => part !== since[index]);
  return differs === -1 || parts[differs] > since[differs];
}

/** The owned keys as leaves: [{path, value}], an array of strings being one leaf, a set. */
function leaves(value, path = []) {
  if (path.length === 2 && path[0] === "agents" && path[1] === "list")
    return value.flatMap(({ id, ...rest }) => leaves(rest, ["agents", AGENTS, id]));
  if (!isRecord(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, inner]) => {
    const roster = path.length === 1 && path[0] === "agents" && key === "entries";
    return leaves(inner, [...path, roster ? AGENTS : key]);
  });
}

/** What is recorded as ours, by path: each value that we wrote there (for a set, its elements). */
function valuesOf(ownedLeaves) {
  return Object.fromEntries(ownedLeaves.map(({ path, value }) => [path.join("/"), Array.isArray(value) ? value : [value]]));
}

/** Both records in one: what may be ours in a file of which it isn't known whether the write to it came through. */
export function unionOfValues(one, other) {
  const union = { ...one };
  for (const [path, values] of Object.entries(other))
    union[path] = [...new Set([...(union[path] ?? []), ...values])];
  return union;
}

/** Merges three ways: `doc` as found, `owned` as declared now, `base` as we last wrote it.
 *  Returns the new document and the record to keep as the next base. `doc` isn't changed. */
export function mergeConfig(doc, owned, dialect, base) {
  const merged = structuredClone(doc);
  const ownedLeaves = leaves(owned[dialect]);
  const values = valuesOf(ownedLeaves);
  for (const [path, written] of Object.entries(base))
    if (!Object.hasOwn(values, path)) disown(merged, path.split("/"), written);
  for (const { path, value } of ownedLeaves) own(merged, path, value, base[path.join("/")] ?? [], dialect);
  return { doc: merged, values };
}

/** Removes what must not be in the file at all; returns the paths that were there. */
export function removeAbsent(doc, absent) {
  return absent.filter((path) => {
    const holder = find(doc, path);
    if (!holder || !Object.hasOwn(holder.node, holder.key)) return false;
    delete holder.node[holder.key];
    return true;
  });
}

function own(doc, path, value, written, dialect) {
  const { node, key } = make(doc, path, dialect);
  if (!Array.isArray(value)) return void (node[key] = value);
  const found = Array.isArray(node[key]) ? node[key] : [];
  const kept = found.filter((item) => value.includes(item) || !written.includes(item));
  node[key] = [...kept, ...value.filter((item) => !kept.includes(item))];
}

/** Takes back what we wrote and no longer declare, unless the customer has changed it since. */
function disown(doc, path, written) {
  const holder = find(doc, path);
  if (!holder || !Object.hasOwn(holder.node, holder.key)) return;
  const found = holder.node[holder.key];
  const rest = Array.isArray(found) ? found.filter((item) => !written.includes(item)) : undefined;
  if (rest?.length) return void (holder.node[holder.key] = rest);
  if (rest ? found.length === 0 : !written.includes(found)) return;
  delete holder.node[holder.key];
  for (const { node, key } of holder.parents.reverse())
    if (isRecord(node[key]) && Object.keys(node[key]).length === 0) delete node[key];
    else break;
}

/** The record of one agent, in whichever form the file keeps agents. */
function findAgent(doc, id) {
  if (!isRecord(doc.agents)) return undefined;
  if (isRecord(doc.agents.entries)) return Object.hasOwn(doc.agents.entries, id) ? doc.agents.entries[id] : undefined;
  return Array.isArray(doc.agents.list) ? doc.agents.list.find(isAgent(id)) : undefined;
}

function makeAgent(doc, id, dialect) {
  const found = findAgent(doc, id);
  if (isRecord(found)) return found;
  const agents = recordAt(doc, "agents");
  if (dialect === "entries") return recordAt(recordAt(agents, "entries"), id);
  if (!Array.isArray(agents.list)) agents.list = [];
  return agents.list[agents.list.push({ id }) - 1];
}

function recordAt(node, key) {
  if (!Object.hasOwn(node, key) || !isRecord(node[key])) node[key] = {};
  return node[key];
}

const inAgent = (path) => path[0] === "agents" && path[1] === AGENTS;

function find(doc, path) {
  let node = inAgent(path) ? findAgent(doc, path[2]) : doc;
  const keys = inAgent(path) ? path.slice(3) : path;
  const parents = [];
  for (const key of keys.slice(0, -1)) {
    if (!isRecord(node) || !Object.hasOwn(node, key)) return undefined;
    parents.push({ node, key });
    node = node[key];
  }
  return isRecord(node) ? { node, key: keys.at(-1), parents } : undefined;
}

function make(doc, path, dialect) {
  let node = inAgent(path) ? makeAgent(doc, path[2], dialect) : doc;
  const keys = inAgent(path) ? path.slice(3) : path;
  for (const key of keys.slice(0, -1)) node = recordAt(node, key);
  return { node, key: keys.at(-1) };
}

/** IDENTITY.md with its Name line set, everything else as found. */
export function mergeIdentity(text, name) {
  const lines = text.split("\n");
  const index = lines.findIndex((line) => /^\s*-\s*[*_`]*name[*_`]*\s*:/i.test(line));
  const line = `- **Name:** ${name}`;
  if (index === -1) return insertAfterHeading(lines, line).join("\n");
  const value = lines[index].slice(lines[index].indexOf(":") + 1).replace(/^[*_`\s]+|[*_`\s]+$/g, "");
  if (value === name) return text;
  lines[index] = lines[index].endsWith("\r") ? `${line}\r` : line;
  return lines.join("\n");
}

function insertAfterHeading(lines, line) {
  let index = lines.findIndex((each) => each.startsWith("#")) + 1;
  while (index > 0 && index < lines.length && lines[index].trim() === "") index += 1;
  return [...lines.slice(0, index), line, ...lines.slice(index)];
}
