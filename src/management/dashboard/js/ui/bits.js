// Small parts that every page is made of.
import { html, useEffect, useRef, useState } from "../core/view.js";
import { bytes, coarse, date, rate, short, whole } from "../core/format.js";

/** A word with a colour that says how it is: ok, busy, warn, bad, quiet. */
export const Badge = ({ tone = "quiet", title, children }) => html`<span class="badge ${tone}" title=${title}>${children}</span>`;

const TONES = { running: "ok", idle: "quiet", up: "ok", single_active: "ok", waiting: "quiet", flow: "warn", blocked: "bad", blocking: "bad", paused: "warn", closing: "warn", down: "bad", crashed: "bad" };
export const State = ({ state }) => html`<span class="state ${TONES[state] ?? "quiet"}"><i aria-hidden="true"></i>${(state ?? "–").replaceAll("_", " ")}</span>`;

/** A number, shortened when it is long; the whole of it on hover. */
export const Num = ({ value, tone }) => html`<span class="num ${value ? tone ?? "" : "zero"}" title=${whole(value)}>${short(value)}</span>`;
export const Rate = ({ value, of }) => html`<span class="num ${value ? "" : "zero"}" title=${value === undefined ? undefined : `${value.toFixed(2)} per second${of === undefined ? "" : `; ${whole(of)} in all`}`}>${rate(value)}${value ? html`<small>/s</small>` : ""}</span>`;
export const Bytes = ({ value }) => html`<span class="num ${value ? "" : "zero"}" title="${whole(value)} bytes">${bytes(value)}</span>`;
export const When = ({ at }) => (at ? html`<time datetime=${new Date(at).toISOString()} title=${date(at)}>${coarse(Math.max(0, Date.now() - at))} ago</time>` : "–");
export const Yes = ({ value }) => (value ? html`<span class="yes" title="yes">✓<span class="hidden">yes</span></span>` : html`<span class="zero">–</span>`);

/** A block with a heading. */
export function Panel({ title, note, actions, children, class: more = "", id }) {
  return html`<section class="panel ${more}" id=${id}>
    ${title && html`<header><h2>${title}</h2>${note && html`<span class="note">${note}</span>`}<div class="actions">${actions}</div></header>`}
    <div class="panel-body">${children}</div>
  </section>`;
}

/** A number with its name. */
export function Tile({ label, value, unit, tone = "", note, href, title }) {
  const inner = html`<span class="label">${label}</span><b title=${title}>${value}${unit && html`<small> ${unit}</small>`}</b>${note && html`<span class="note">${note}</span>`}`;
  return href ? html`<a class="tile ${tone}" href=${href}>${inner}</a>` : html`<div class="tile ${tone}">${inner}</div>`;
}

/** Names and values. Rows whose value is undefined are left out. */
export function Facts({ rows }) {
  return html`<dl class="facts">${rows.filter(([, value]) => value !== undefined && value !== null && value !== "").map(([name, value, title]) => html`<div key=${name}><dt title=${title}>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** A table of AMQP values. */
export function Table({ value, empty = "none" }) {
  const rows = Object.entries(value ?? {});
  if (!rows.length) return html`<span class="zero">${empty}</span>`;
  return html`<dl class="map">${rows.map(([key, each]) => html`<div key=${key}><dt>${key}</dt><dd>${each !== null && typeof each === "object" ? html`<${Table} value=${each} />` : String(each)}</dd></div>`)}</dl>`;
}

/** What went wrong, where it went wrong. */
export function Wrong({ error, children }) {
  if (!error) return null;
  const titles = { refused: "You may not see this", missing: "There is no such thing (any more)", offline: "No contact", login: "Not logged in" };
  return html`<div class="wrong ${error.kind ?? ""}" role="alert"><b>${titles[error.kind] ?? "That did not work"}</b><span>${error.message}</span>${children}</div>`;
}

/** Nothing here, and what to do about it; `code` is Python that does it. */
export function Empty({ title, children, code }) {
  return html`<div class="empty"><b>${title}</b>${children && html`<p>${children}</p>`}${code && html`<${Code} text=${code} />`}</div>`;
}

/** Text to copy. */
function Code({ text, label = "Copy" }) {
  const [copied, set] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(set, 1500, false);
    return () => clearTimeout(timer);
  }, [copied]);
  const shown = useRef(null);
  // Browsers have a clipboard only where the page came over TLS or from this machine: else the text is
  // marked, so that a key copies it.
  const copy = () => (navigator.clipboard ? navigator.clipboard.writeText(text).then(() => set(true), mark) : mark());
  const mark = () => getSelection().selectAllChildren(shown.current);
  return html`<div class="code"><pre tabindex="0" ref=${shown}>${text}</pre><button class="small" onClick=${copy}>${copied ? "Copied" : label}</button></div>`;
}

export const Waiting = () => html`<div class="waiting" role="status"><span class="hidden">Loading</span></div>`;

/** Shows what was loaded, or why there is nothing. What was seen last stays beside an error. */
export function Loaded({ from, children }) {
  const { data, error } = from;
  if (data === undefined) return error ? html`<${Wrong} error=${error} />` : html`<${Waiting} />`;
  return html`${error && error.kind !== "offline" && html`<${Wrong} error=${error} />`}${children(data)}`;
}

/** Views of one page, chosen in its address. */
export function Tabs({ tabs, at, to }) {
  return html`<nav class="tabs" aria-label="Views">${tabs.map(([id, label, count]) => html`<a key=${id} href=${to(id)} aria-current=${id === at ? "page" : undefined}>${label}${count !== undefined && html`<span class="count">${short(count)}</span>`}</a>`)}</nav>`;
}

/** The head of a page: where it is, what it is called, what can be done. */
export function Head({ trail = [], title, badges, children }) {
  useEffect(() => {
    document.title = `${typeof title === "string" ? title.slice(0, 80) : "Warren"} · Warren`;
  }, [title]);
  return html`<header class="head">
    ${trail.length > 0 && html`<nav class="trail" aria-label="Where this is">${trail.map(([label, href]) => html`<a key=${href} href=${href}>${label}</a>`)}</nav>`}
    <div class="head-row"><h1>${title}</h1>${badges && html`<div class="badges">${badges}</div>`}<div class="actions">${children}</div></div>
  </header>`;
}
