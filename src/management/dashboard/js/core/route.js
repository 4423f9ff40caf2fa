// Where the user is: `#/queues/%2F/orders?sort=messages`. The address says everything that is needed to
// see the same again; it is the same as RabbitMQ's for the same object.
import { store, useStore } from "./store.js";

const current = store(parse());
addEventListener("hashchange", () => current.set(parse()));

function parse() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { parts: path.split("/").filter(Boolean).map(decode), query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

export const useRoute = () => useStore(current);
export const route = () => current.get();

/** The address of a place: link("queues", vhost, name), with a query as last argument if it is an object. */
export function link(...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : {};
  const path = parts.map((part) => encodeURIComponent(part)).join("/");
  return `#/${path}${queryText(query)}`;
}

function queryText(query) {
  const said = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return said.length ? "?" + new URLSearchParams(said) : "";
}

export function go(...parts) {
  location.hash = link(...parts);
}

/** Changes some of the query. Typing does not fill the history (`replace`). */
export function setQuery(changes, replace = true) {
  const { parts, query } = current.get();
  const next = link(...parts, { ...query, ...changes });
  if (next === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", next);
  current.set(parse());
}
addEventListener("popstate", () => current.set(parse()));
