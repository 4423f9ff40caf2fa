// A list of objects: pages, order, filter and columns are asked of the broker and kept in the address.
import { html, useEffect, useRef, useState } from "../core/view.js";
import { get } from "../core/api.js";
import { short, whole } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { setQuery, useRoute } from "../core/route.js";
import { Loaded } from "./bits.js";
import { Rows } from "./rows.js";

const SIZES = [25, 50, 100, 250, 500];
const SIZE = 50;
const TYPING = 250;

/**
 * Columns: {id, label, title, sort, needs, show, num, off, at}. `sort` is the field to sort by, `needs`
 * the fields to ask for, `show(row)` the cell, `off` hides it at first, `at` ("wide") on small screens.
 * `pick` names bulk actions: (rows) => html; rows are chosen by `rowKey`.
 */
export function List({ from, columns, rowKey, empty, query = {}, placeholder = "Filter by name", actions, pick, order, filters, plain }) {
  const { query: said } = useRoute();
  const cols = chosen(columns, said.cols);
  const size = SIZES.includes(Number(said.size)) ? Number(said.size) : SIZE;
  const page = Math.max(1, Number.parseInt(said.page, 10) || 1);
  const sort = said.sort ?? order?.[0];
  const down = said.sort ? said.desc === "1" : order?.[1] ?? false;
  const by = columns.find((column) => column.id === sort);
  const asked = {
    page, page_size: size, sort: by?.sort, sort_reverse: down ? "true" : "false",
    name: said.name, use_regex: said.regex === "1" ? "true" : undefined,
    columns: plain ? undefined : [...new Set(["name", "vhost", ...cols.flatMap((column) => column.needs ?? [column.id])])].join(","),
    ...query,
  };
  const loaded = usePoll((signal) => load(from, asked, signal), [from, JSON.stringify(asked)]);
  const [picked, choose] = useState(new Set());
  useEffect(() => choose(new Set()), [from]);

  const turn = (column) => {
    const numbers = column.num;
    setQuery(sort === column.id ? { sort: column.id, desc: down ? "0" : "1", page: undefined } : { sort: column.id, desc: numbers ? "1" : "0", page: undefined }, false);
  };
  const mark = (rows, on) => choose((old) => {
    const next = new Set(old);
    for (const row of rows) on ? next.add(rowKey(row)) : next.delete(rowKey(row));
    return next;
  });
  return html`<div class="list ${loaded.busy ? "busy" : ""}">
    <div class="list-bar">
      <${Filter} said=${said} placeholder=${placeholder} />
      ${filters}
      <div class="actions">${actions}<${Columns} all=${columns} cols=${cols} /></div>
    </div>
    <${Loaded} from=${loaded}>${(data) => {
      const rows = data.items;
      const chosenRows = rows.filter((row) => picked.has(rowKey(row)));
      if (data.total_count === 0) return empty ?? null;
      if (rows.length === 0) return html`<div class="empty"><b>Nothing fits</b><p>${whole(data.total_count)} in all, none with this filter.</p><button onClick=${() => setQuery({ name: undefined, page: undefined })}>Clear the filter</button></div>`;
      return html`
        ${pick && chosenRows.length > 0 && html`<div class="bulk" role="region" aria-label="Chosen"><b>${chosenRows.length} chosen</b>${pick(chosenRows, () => choose(new Set()))}<button class="ghost" onClick=${() => choose(new Set())}>Choose none</button></div>`}
        <${Rows} rows=${rows} columns=${cols} rowKey=${rowKey} label="List" order=${{ by: sort, down, turn }} picks=${pick && { picked, choose: mark }} />
        <${Pages} data=${data} page=${page} size=${size} />`;
    }}</>
  </div>`;
}

async function load(from, asked, signal) {
  try {
    const answer = await get(from, asked, { signal });
    // Lists that have no pages are short ones.
    return Array.isArray(answer) ? { items: answer, total_count: answer.length, filtered_count: answer.length, page_count: 1 } : answer;
  } catch (error) {
    // The list became shorter than the page it was on.
    if (error.status === 400 && asked.page > 1 && /out of range/i.test(error.message)) {
      setQuery({ page: undefined });
      return get(from, { ...asked, page: 1 }, { signal });
    }
    throw error;
  }
}

function chosen(columns, said) {
  if (!said) return columns.filter((column) => !column.off);
  const ids = said.split(".");
  return columns.filter((column) => column.always || ids.includes(column.id));
}

function Filter({ said, placeholder }) {
  const [text, type] = useState(said.name ?? "");
  const timer = useRef(null);
  useEffect(() => type(said.name ?? ""), [said.name]);
  const input = (event) => {
    type(event.target.value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ name: event.target.value || undefined, page: undefined }), TYPING);
  };
  return html`<div class="filter" role="search">
    <input type="search" data-filter aria-label=${placeholder} placeholder="${placeholder}  ( / )" value=${text} onInput=${input} spellcheck=${false} />
    <label title="Read the filter as a regular expression"><input type="checkbox" checked=${said.regex === "1"} onChange=${(event) => setQuery({ regex: event.target.checked ? "1" : undefined, page: undefined })} />regex</label>
  </div>`;
}

function Columns({ all, cols }) {
  const shown = new Set(cols.map((column) => column.id));
  const turn = (id) => {
    shown.has(id) ? shown.delete(id) : shown.add(id);
    const standard = all.every((column) => column.always || shown.has(column.id) === !column.off);
    setQuery({ cols: standard ? undefined : all.filter((column) => shown.has(column.id)).map((column) => column.id).join(".") });
  };
  const self = useRef(null);
  // As other menus it goes when something else is touched, or with Escape.
  useEffect(() => {
    const shut = (event) => { if (event.type === "keydown" ? event.key === "Escape" : !self.current.contains(event.target)) self.current.open = false; };
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, shut);
    return () => { for (const kind of ["pointerdown", "keydown"]) removeEventListener(kind, shut); };
  }, []);
  return html`<details class="menu" ref=${self}><summary class="button">Columns</summary><div class="menu-body">
    ${all.filter((column) => !column.always).map((column) => html`<label key=${column.id} title=${column.title}><input type="checkbox" checked=${shown.has(column.id)} onChange=${() => turn(column.id)} />${column.label}</label>`)}
  </div></details>`;
}

function Pages({ data, page, size }) {
  const { total_count: total, filtered_count: fits = total, page_count: count } = data;
  const first = (page - 1) * size + 1;
  return html`<div class="pages">
    <span>${whole(first)}–${whole(Math.min(fits, first + data.items.length - 1))} of ${whole(fits)}${fits < total ? ` (${short(total)} in all)` : ""}</span>
    ${count > 1 && html`<nav aria-label="Pages">
      <button disabled=${page <= 1} onClick=${() => setQuery({ page: page - 1 }, false)}>Previous</button>
      <label>Page <select aria-label="Page" value=${page} onChange=${(event) => setQuery({ page: event.target.value }, false)}>${steps(page, count).map((n) => html`<option key=${n} value=${n}>${n}</option>`)}</select> of ${whole(count)}</label>
      <button disabled=${page >= count} onClick=${() => setQuery({ page: page + 1 }, false)}>Next</button>
    </nav>`}
    <label>Rows <select aria-label="Rows on a page" value=${size} onChange=${(event) => setQuery({ size: Number(event.target.value) === SIZE ? undefined : event.target.value, page: undefined })}>${SIZES.map((n) => html`<option key=${n} value=${n}>${n}</option>`)}</select></label>
  </div>`;
}

/** Pages to choose from: all if they are few, else those near and some far ones. */
function steps(page, count) {
  if (count <= 100) return Array.from({ length: count }, (_, at) => at + 1);
  const some = new Set([1, count, page]);
  for (let far = 1; far < count; far *= 2) { some.add(Math.max(1, page - far)); some.add(Math.min(count, page + far)); }
  return [...some].sort((a, b) => a - b);
}
