// Talks to the broker's HTTP API: credentials, addresses, errors in words, and whether it is there.
import { store } from "./store.js";

const ROOT = new URL("../../../../api/", import.meta.url);
const KEPT = "warren.login";
const SLOW = 30_000;

/** Who is logged in: null or {name, tags}. */
export const session = store(null);
/** What stands between the page and the broker: "ok", "offline" or "expired". */
export const contact = store("ok");

let authorization = null;
try { authorization = sessionStorage.getItem(KEPT); } catch { /* nothing is kept */ }

/** A request that failed. `kind`: offline, login, refused, missing, bad, broken. */
export class ApiError extends Error {
  constructor(kind, status, text) {
    super(text);
    this.kind = kind;
    this.status = status;
  }
}

/** A path of the API: path`queues/${vhost}/${name}`. Names are encoded. */
export function path(parts, ...names) {
  return parts.reduce((all, part, at) => all + segment(names[at - 1]) + part);
}

function segment(name) {
  const text = String(name);
  // A browser takes these for directories, however they are written, and would ask for another object.
  if (text === "." || text === "..") {
    throw new ApiError("bad", 0, `A browser cannot address an object that is called "${text}". Use rabbitmqadmin or a client.`);
  }
  return encodeURIComponent(text);
}

/** An exchange's name in a path. */
export const exchangeName = (name) => name || "amq.default";

export const get = (where, query, options) => call("GET", where, { query, ...options });
export const put = (where, body) => call("PUT", where, { body: body ?? {} });
export const post = (where, body) => call("POST", where, { body: body ?? {} });
export const remove = (where, query, headers) => call("DELETE", where, { query, headers });

export async function call(method, where, options = {}) {
  const answer = await ask(method, where, options);
  if (answer.status === 204 || answer.status === 201) return null;
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** Sends a request and gives the answer, if it is a good one. */
export async function ask(method, where, { query, body, headers, signal, as = authorization, patience = SLOW } = {}) {
  const address = new URL(where, ROOT);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "" && value !== false) address.searchParams.set(name, value);
  }
  const limits = [signal, patience && AbortSignal.timeout(patience)].filter(Boolean);
  let answer;
  try {
    answer = await fetch(address, {
      method,
      signal: AbortSignal.any(limits),
      // The browser must neither send what it remembers nor ask for a password by itself.
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      headers: {
        accept: "application/json",
        ...(as && { authorization: as }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    contact.set("offline");
    throw new ApiError("offline", 0, "The broker does not answer.");
  }
  if (contact.get() === "offline") contact.set("ok");
  if (answer.ok) {
    if (as === authorization && contact.get() === "expired") contact.set("ok");
    return answer;
  }
  throw await failure(answer);
}

async function failure(answer) {
  let said = {};
  try { said = await answer.json(); } catch { /* no JSON: the status has to do */ }
  const reason = typeof said.reason === "string" ? said.reason : said.reason ? JSON.stringify(said.reason) : "";
  // RabbitMQ's two spellings: with z nobody knows the caller, with s the caller may not.
  if (answer.status === 401 && said.error === "not_authorized") {
    if (session.get()) contact.set("expired");
    return new ApiError("login", 401, "Not logged in.");
  }
  const kinds = { 401: "refused", 403: "refused", 404: "missing" };
  const kind = kinds[answer.status] ?? (answer.status < 500 ? "bad" : "broken");
  return new ApiError(kind, answer.status, reason || `The broker answered ${answer.status}.`);
}

/** Logs in; the credentials stay in this tab. */
export async function logIn(user, password) {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  const as = "Basic " + btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const answer = await ask("GET", "whoami", { as });
  const who = await answer.json();
  authorization = as;
  try { sessionStorage.setItem(KEPT, as); } catch { /* then for this page only */ }
  contact.set("ok");
  session.set(who);
}

export function logOut() {
  authorization = null;
  try { sessionStorage.removeItem(KEPT); } catch { /* nothing was kept */ }
  contact.set("ok");
  session.set(null);
}

/** Takes up the login of before a reload. */
export async function resume() {
  if (!authorization) return;
  try {
    session.set(await get("whoami"));
  } catch (error) {
    if (error.kind !== "offline") logOut();
    else throw error;
  }
}

/** What the user may do, by tags. */
export function may(user = session.get()) {
  const has = (...tags) => tags.some((tag) => user?.tags.includes(tag));
  return {
    administer: has("administrator"),
    monitor: has("administrator", "monitoring"),
    makePolicies: has("administrator", "policymaker"),
  };
}
