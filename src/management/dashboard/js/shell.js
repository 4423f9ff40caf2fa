// What surrounds every page: where one can go, which vhost, how fresh, whether all is well.
import { html, useEffect, useState } from "./core/view.js";
import { contact, get, logOut, may, session } from "./core/api.js";
import { refresh, usePoll } from "./core/poll.js";
import { go, link, route, setQuery, useRoute } from "./core/route.js";
import { interval, theme, useStore } from "./core/store.js";
import { show } from "./ui/dialog.js";
import { find } from "./ui/find.js";
import { Mark } from "./login.js";

/** [address, label, key, who may see it] */
const PLACES = [
  ["", [["", "Overview", "o"]]],
  ["Traffic", [["connections", "Connections", "c"], ["channels", "Channels", "h"], ["consumers", "Consumers", "n"]]],
  ["Routing", [["exchanges", "Exchanges", "e"], ["queues", "Queues", "q"], ["topology", "Topology", "t"]]],
  ["Admin", [["users", "Users", "u", "administer"], ["vhosts", "Vhosts", "v"], ["policies", "Policies", "p"], ["limits", "Limits", "l"], ["definitions", "Definitions", "d", "administer"], ["features", "Feature flags", "f"], ["logs", "Log", "g", "monitor"]]],
];
/** The pages that the user may see: [address, label]. */
function places() {
  const rights = may();
  return PLACES.flatMap(([, all]) => all).filter(([, , , need]) => !need || rights[need]);
}
/** Lists that can be of one vhost. */
const OF_VHOST = new Set(["connections", "channels", "consumers", "exchanges", "queues", "topology", "policies"]);
const EVERY = [[2, "2 s"], [5, "5 s"], [15, "15 s"], [60, "1 min"], [0, "paused"]];

export function Shell({ children }) {
  const { parts, query } = useRoute();
  const [open, setOpen] = useState(false);
  const rights = may();
  useEffect(() => setOpen(false), [parts.join("/")]);
  useEffect(() => keys(() => setOpen(false)), []);
  const here = parts[0] ?? "";
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>To the content</a>
  <div class="shell ${open ? "open" : ""}">
    <aside id="sidebar">
      <a class="brand" href="#/"><${Mark} /><span>Warren</span></a>
      <nav aria-label="Pages">${PLACES.map(([group, places]) => html`<div key=${group} class="group">
        ${group && html`<h2>${group}</h2>`}
        <ul>${places.filter(([, , , need]) => !need || rights[need]).map(([place, label]) => html`<li key=${place}><a href=${link(...(place ? [place] : []), OF_VHOST.has(place) ? { vhost: vhostOf(parts, query) } : {})} aria-current=${here === place ? "page" : undefined}>${label}</a></li>`)}</ul>
      </div>`)}</nav>
      <${Me} />
    </aside>
    <div class="side-shade" onClick=${() => setOpen(false)}></div>
    <div class="content">
      <div class="bar">
        <button class="ghost icon burger" aria-label="Menu" aria-expanded=${open} aria-controls="sidebar" onClick=${() => setOpen(!open)}>☰</button>
        <${VhostChoice} here=${here} parts=${parts} query=${query} />
        <span class="gap"></span>
        <button class="ghost finder" aria-label="Find" title="Find anything by its name (k)" onClick=${() => find(places())}><svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true"><circle cx="7" cy="7" r="4.6" /><path d="M10.5 10.5L14.5 14.5" /></svg><span class="wide-only">Find</span></button>
        <${Fresh} />
      </div>
      <${Contact} />
      <main id="main" tabindex="-1">${children}</main>
    </div>
  </div>`;
}

/** The vhost that the user looks at: that of the object, or the one chosen. */
const vhostOf = (parts, query) => (["queues", "exchanges"].includes(parts[0]) && parts[1] ? query.vhost ?? undefined : query.vhost);

function VhostChoice({ here, parts, query }) {
  const vhosts = usePoll((signal) => get("vhosts", { columns: "name" }, { signal }), [], { every: 60 });
  if (!OF_VHOST.has(here) || parts.length > 1) return null;
  const names = vhosts.data?.map((each) => each.name) ?? [];
  if (query.vhost !== undefined && !names.includes(query.vhost)) names.push(query.vhost);
  return html`<label class="inline"><span>Vhost</span><select value=${query.vhost ?? ""} aria-label="Vhost" onChange=${(event) => setQuery({ vhost: event.target.value || undefined, page: undefined }, false)}>
    ${here !== "topology" && html`<option value="">all</option>`}${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
  </select></label>`;
}

function Fresh() {
  const seconds = useStore(interval);
  return html`<label class="inline"><span class="wide-only">Refresh</span><select aria-label="Refresh every" value=${seconds} onChange=${(event) => interval.set(Number(event.target.value))}>${EVERY.map(([each, label]) => html`<option key=${each} value=${each}>${label}</option>`)}</select></label>
  <button class="ghost icon" aria-label="Refresh now" title="Refresh now (r)" onClick=${refresh}>↻</button>`;
}

function Contact() {
  const state = useStore(contact);
  if (state !== "offline") return null;
  return html`<div class="contact" role="alert"><b>No contact with the broker.</b> What you see is what was seen last. It is tried again every two seconds.</div>`;
}

const THEMES = [["auto", "System"], ["light", "Light"], ["dark", "Dark"]];

function Me() {
  const user = useStore(session);
  const look = useStore(theme);
  return html`<div class="me">
    <div class="who"><b title=${user?.name}>${user?.name}</b><span class="note">${user?.tags.join(", ") || "no tags"}</span></div>
    <div class="me-row">
      <label class="inline"><span class="hidden">Colours</span><select aria-label="Colours" value=${look} onChange=${(event) => theme.set(event.target.value)}>${THEMES.map(([id, label]) => html`<option key=${id} value=${id}>${label}</option>`)}</select></label>
      <button onClick=${logOut}>Log out</button>
      <button class="ghost icon" aria-label="Keys" title="Keys (?)" onClick=${help}>?</button>
    </div>
  </div>`;
}

function help() {
  const rows = [["k", "find anything by its name"], ["/", "to the filter"], ["r", "refresh now"], ["p", "pause or go on refreshing"], ...PLACES.flatMap(([, places]) => places.map(([, label, key]) => [`g ${key}`, `to ${label}`])), ["?", "this help"]];
  show({ title: "Keys", body: () => html`<dl class="facts keys">${rows.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>` });
}

/** Keys that work everywhere but in fields. */
function keys(closeMenu) {
  let before = "";
  let running = 5;
  function press(event) {
    if (event.key === "Escape") return closeMenu();
    if (event.key === "k" && (event.ctrlKey || event.metaKey) && !event.target.closest?.("dialog")) { event.preventDefault(); return find(places()); }
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, dialog")) return undefined;
    const pressed = before + event.key;
    before = event.key === "g" ? "g" : "";
    if (pressed === "/") { event.preventDefault(); document.querySelector("[data-filter]")?.focus(); }
    else if (pressed === "k") { event.preventDefault(); find(places()); }
    else if (pressed === "?") help();
    else if (pressed === "r") refresh();
    else if (pressed === "p") { running = interval.get() || running; interval.set(interval.get() ? 0 : running); }
    else if (pressed.length === 2) {
      const place = PLACES.flatMap(([, places]) => places).find(([, , key]) => key === pressed[1]);
      if (place) go(...(place[0] ? [place[0]] : []), { vhost: route().query.vhost });
    }
    return undefined;
  }
  addEventListener("keydown", press);
  return () => removeEventListener("keydown", press);
}
