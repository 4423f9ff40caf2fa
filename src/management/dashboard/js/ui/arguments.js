// Arguments of a declaration: names, types and values, with the known ones at hand.
import { html, useState } from "../core/view.js";

const TYPES = [["text", "text"], ["number", "number"], ["bool", "true/false"], ["json", "JSON"]];
let rows = 0;

/** `known`: [name, type, what it means]. */
export function ArgumentsField({ value, onChange, known = [] }) {
  const [list, set] = useState(() => Object.entries(value).map(([key, each]) => ({ id: rows++, key, type: typeOf(each), text: typeof each === "string" ? each : JSON.stringify(each) })));
  const change = (next) => {
    set(next);
    onChange(Object.fromEntries(next.filter((row) => row.key).map((row) => [row.key, read(row)])));
  };
  const edit = (id, changes) => change(list.map((row) => (row.id === id ? { ...row, ...changes } : row)));
  const add = (key = "", type = "text") => change([...list, { id: rows++, key, type, text: type === "bool" ? "true" : "" }]);
  const unused = known.filter(([name]) => !list.some((row) => row.key === name));
  return html`<div class="arguments">
    ${list.map((row) => html`<div class="argument" key=${row.id}>
      <input aria-label="Argument's name" value=${row.key} placeholder="x-…" onInput=${(event) => edit(row.id, { key: event.target.value })} spellcheck=${false} />
      <select aria-label="Type" value=${row.type} onChange=${(event) => edit(row.id, { type: event.target.value })}>${TYPES.map(([id, label]) => html`<option key=${id} value=${id}>${label}</option>`)}</select>
      <input aria-label="Value of ${row.key || "the argument"}" value=${row.text} onInput=${(event) => edit(row.id, { text: event.target.value })} spellcheck=${false} />
      <button type="button" class="ghost icon" aria-label="Remove ${row.key}" onClick=${() => change(list.filter((each) => each.id !== row.id))}>✕</button>
    </div>`)}
    <div class="chips">${unused.map(([name, type, title]) => html`<button type="button" class="chip" key=${name} title=${title} onClick=${() => add(name, type)}>+ ${name}</button>`)}<button type="button" class="chip" onClick=${() => add()}>+ other</button></div>
  </div>`;
}

function typeOf(value) {
  if (typeof value === "number") return "number";
  if (typeof value === "boolean") return "bool";
  return typeof value === "string" ? "text" : "json";
}

// What cannot be read stays a text: the broker says what it expects.
function read({ type, text }) {
  if (type === "number") return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
  if (type === "bool") return text === "true" ? true : text === "false" ? false : text;
  if (type === "json") { try { return JSON.parse(text); } catch { return text; } }
  return text;
}
