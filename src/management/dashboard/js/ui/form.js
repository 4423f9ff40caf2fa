// Forms made of descriptions of their fields; an error is shown in the form that caused it.
import { html, useEffect, useId, useRef, useState } from "../core/view.js";
import { ArgumentsField } from "./arguments.js";
import { focusFirst } from "./dialog.js";

/**
 * Fields: {name, label, type, options, help, required, placeholder, value, when, suggest}. Types: text,
 * password, number, check, select, area, arguments, hidden.
 */
export function Form({ fields, action, submit, start = {}, danger, onCancel, class: more = "", children }) {
  const [values, set] = useState(() => Object.fromEntries(fields.map((field) => [field.name, start[field.name] ?? field.value ?? blank(field)])));
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const self = useRef(null);
  // A form that had to wait for what it offers comes after its dialog was shown.
  useEffect(() => {
    const dialog = self.current.closest("dialog[open]");
    if (dialog && !dialog.querySelector(".form :focus")) focusFirst(dialog);
  }, []);
  const change = (name, value) => set((old) => ({ ...old, [name]: value }));
  async function send(event) {
    event.preventDefault();
    work(true);
    fail(null);
    try {
      const reset = await submit(values, change);
      if (reset === "reset") set(Object.fromEntries(fields.map((field) => [field.name, field.value ?? blank(field)])));
    } catch (problem) {
      fail(problem);
    }
    work(false);
  }
  const shown = fields.filter((field) => !field.when || field.when(values));
  return html`<form class="form ${more}" ref=${self} onSubmit=${send}>
    ${shown.map((field) => html`<${Field} key=${field.name} field=${field} value=${values[field.name]} onChange=${(value) => change(field.name, value)} />`)}
    ${typeof children === "function" ? children(values, change) : children}
    ${error && html`<div class="wrong" role="alert"><b>That did not work</b><span>${error.message}</span></div>`}
    <div class="form-end">
      ${onCancel && html`<button type="button" onClick=${onCancel}>Cancel</button>`}
      <button type="submit" class=${danger ? "danger" : "primary"} disabled=${busy}>${busy ? "Working…" : action}</button>
    </div>
  </form>`;
}

function blank(field) {
  if (field.type === "check") return false;
  if (field.type === "arguments") return {};
  if (field.type === "select") return optionValue(field.options[0]);
  return "";
}
const optionValue = (option) => (Array.isArray(option) ? option[0] : option);

function Field({ field, value, onChange }) {
  const id = useId();
  const { type = "text", label, help, required, placeholder, options, suggest, rows = 4 } = field;
  const text = (event) => onChange(event.target.value);
  const common = { id, required, placeholder, "aria-describedby": help ? `${id}-help` : undefined };
  if (type === "check") {
    return html`<label class="field check"><input type="checkbox" checked=${value} onChange=${(event) => onChange(event.target.checked)} aria-describedby=${common["aria-describedby"]} /><span>${label}</span>${help && html`<small id="${id}-help">${help}</small>`}</label>`;
  }
  if (type === "arguments") {
    return html`<fieldset class="field"><legend>${label}</legend><${ArgumentsField} value=${value} onChange=${onChange} known=${field.known} />${help && html`<small>${help}</small>`}</fieldset>`;
  }
  let input;
  if (type === "select") {
    input = html`<select ...${common} value=${value} onChange=${text}>${options.map((option) => html`<option key=${optionValue(option)} value=${optionValue(option)}>${Array.isArray(option) ? option[1] : option}</option>`)}</select>`;
  } else if (type === "area") {
    input = html`<textarea ...${common} rows=${rows} value=${value} onInput=${text} spellcheck=${false}></textarea>`;
  } else {
    input = html`<input ...${common} type=${type} value=${value} onInput=${text} min=${field.min} max=${field.max} list=${suggest ? `${id}-list` : undefined} autocomplete=${type === "password" ? "new-password" : "off"} spellcheck=${false} />${suggest && html`<datalist id="${id}-list">${suggest.map((each) => html`<option key=${each} value=${each} />`)}</datalist>`}`;
  }
  return html`<div class="field ${field.class ?? ""}"><label for=${id}>${label}${required && html`<span class="must" title="needed"> *</span>`}</label>${input}${help && html`<small id="${id}-help">${help}</small>`}</div>`;
}

/** A whole number from a field, or undefined if nothing is there. */
export function number(text) {
  if (text === "" || text === undefined || text === null) return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) throw new Error(`“${text}” is not a number.`);
  return value;
}
