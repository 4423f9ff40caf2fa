// Finds an object by a part of its name, whatever it is, and goes there.
import { html, useEffect, useState } from "../core/view.js";
import { exchangeName, get, may } from "../core/api.js";
import { exchangeLabel } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { link } from "../core/route.js";
import { close, show } from "./dialog.js";

const TYPING = 150, MOST = 6;

/** `places`: [address, label] of the pages. */
export const find = (places) => show({ title: "Find", body: () => html`<${Finder} places=${places} />` });

function Finder({ places }) {
  const [text, type] = useState("");
  const [settled, settle] = useState("");
  const [at, choose] = useState(0);
  useEffect(() => {
    const timer = setTimeout(settle, TYPING, text.trim());
    return () => clearTimeout(timer);
  }, [text]);
  const found = usePoll((signal) => objects(settled, signal), [settled], { every: 0, on: settled !== "" });
  const fits = places.filter(([, label]) => label.toLowerCase().includes(settled.toLowerCase())).map(([place, label]) => ({ kind: "page", name: label, href: link(...(place ? [place] : [])) }));
  const all = settled === "" ? fits : [...(found.data ?? []), ...fits];
  const picked = Math.min(at, all.length - 1);
  const go = (one) => { close(); location.hash = one.href; };
  const keys = (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose((picked + (event.key === "ArrowDown" ? 1 : all.length - 1)) % Math.max(1, all.length));
    } else if (event.key === "Enter" && all[picked]) {
      event.preventDefault();
      go(all[picked]);
    }
  };
  return html`<input type="search" autofocus role="combobox" aria-label="Find by name" aria-expanded="true" aria-controls="found" aria-autocomplete="list" aria-activedescendant=${all[picked] && `found-${picked}`} placeholder="A part of a name" value=${text} onInput=${(event) => { type(event.target.value); choose(0); }} onKeyDown=${keys} spellcheck=${false} autocomplete="off" />
    <ul class="found" id="found" role="listbox" aria-label="What was found">${all.map((one, index) => html`<li key=${one.kind + one.href} id="found-${index}" role="option" aria-selected=${index === picked} onClick=${() => go(one)}><span class="name">${one.name}</span>${one.sub && html` <small>${one.sub}</small>`}<span class="gap"></span><small>${one.kind}</small></li>`)}</ul>
    ${all.length === 0 && !found.busy && html`<p class="note" role="status">Nothing has this in its name.</p>`}`;
}

/** What has this in its name; what the user may not see is left out. */
async function objects(text, signal) {
  const ask = (what, columns) => get(what, { page: 1, page_size: MOST, name: text, columns, disable_stats: "true" }, { signal }).then((answer) => answer.items, () => []);
  const [queues, exchanges, connections, vhosts, users] = await Promise.all([
    ask("queues", "name,vhost"), ask("exchanges", "name,vhost"), ask("connections", "name,user_provided_name"), ask("vhosts", "name"), may().administer ? ask("users", "name") : [],
  ]);
  const inVhost = ({ vhost }) => (vhost === "/" ? undefined : vhost);
  return [
    ...queues.map((each) => ({ kind: "queue", name: each.name, sub: inVhost(each), href: link("queues", each.vhost, each.name) })),
    ...exchanges.map((each) => ({ kind: "exchange", name: exchangeLabel(each.name), sub: inVhost(each), href: link("exchanges", each.vhost, exchangeName(each.name)) })),
    ...connections.map((each) => ({ kind: "connection", name: each.user_provided_name ?? each.name, sub: each.user_provided_name && each.name, href: link("connections", each.name) })),
    ...vhosts.map((each) => ({ kind: "vhost", name: each.name, href: link("vhosts", each.name) })),
    ...users.map((each) => ({ kind: "user", name: each.name, href: link("users", each.name) })),
  ];
}
