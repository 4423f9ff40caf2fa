// Questions before something is destroyed, and notes of what was done.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../core/view.js";
import { useRoute } from "../core/route.js";
import { store, useStore } from "../core/store.js";

const open = store(null);
const notes = store([]);
const NOTE_FOR = 5000;

/**
 * Asks before something is done: confirm({title, body, action, danger, typed, run}). `run` does it;
 * while it fails the question stays and says why. With `typed` that text has to be typed first.
 */
export const confirm = (question) => open.set({ ...question });
/** Shows any content in a dialog: show({title, body: (close) => …, wide}). */
export const show = (content) => open.set({ ...content });
export const close = () => open.set(null);

let next = 0;
/** Says that something was done. */
export function note(text, tone = "ok") {
  const id = next++;
  notes.set([...notes.get(), { id, text, tone }]);
  setTimeout(() => notes.set(notes.get().filter((each) => each.id !== id)), NOTE_FOR);
}

/** Where dialogs and notes appear. */
export function Dialogs() {
  const what = useStore(open);
  const { parts } = useRoute();
  // A question belongs to the page that asked it.
  useEffect(close, [parts.join("\n")]);
  return html`${what && html`<${Dialog} key=${what} what=${what} />`}<${Notes} />`;
}

function Notes() {
  const all = useStore(notes);
  return html`<div class="notes" role="status" aria-live="polite">${all.map(({ id, text, tone }) => html`<div key=${id} class="toast ${tone}">${text}</div>`)}</div>`;
}

function Dialog({ what }) {
  const element = useRef(null);
  // At once: what is typed next belongs into it.
  useLayoutEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog.showModal();
    if (!dialog.querySelector("[autofocus]")) focusFirst(dialog);
    return () => { dialog.close(); before?.focus?.(); };
  }, []);
  const outside = (event) => event.target === element.current && what.run === undefined && close();
  const cancel = (event) => { event.preventDefault(); close(); };
  return html`<dialog ref=${element} class=${what.wide ? "wide" : ""} aria-labelledby="dialog-title" onCancel=${cancel} onClick=${outside}>
    <header><h2 id="dialog-title">${what.title}</h2><button class="ghost icon" aria-label="Close" onClick=${close}>✕</button></header>
    ${what.run ? html`<${Question} what=${what} />` : html`<div class="dialog-body">${what.body(close)}</div>`}
  </dialog>`;
}

/** Puts the cursor where something is to be typed first. */
export const focusFirst = (place) => place.querySelector(".form :is(input, select, textarea)")?.focus();

function Question({ what }) {
  const [typed, type] = useState("");
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const ready = !busy && (what.typed === undefined || typed === what.typed);
  async function run(event) {
    event.preventDefault();
    if (!ready) return;
    work(true);
    try {
      await what.run();
      close();
    } catch (problem) {
      fail(problem);
      work(false);
    }
  }
  return html`<form onSubmit=${run}>
    <div class="dialog-body">
      ${what.body}
      ${what.typed !== undefined && html`<label class="field"><span>Type <code>${what.typed}</code> to confirm</span><input value=${typed} onInput=${(event) => type(event.target.value)} autocomplete="off" spellcheck=${false} autofocus /></label>`}
      ${error && html`<div class="wrong" role="alert"><b>That did not work</b><span>${error.message}</span></div>`}
    </div>
    <footer><button type="button" onClick=${close} autofocus=${what.typed === undefined}>Cancel</button><button type="submit" class=${what.danger ? "danger" : "primary"} disabled=${!ready}>${busy ? "Working…" : what.action}</button></footer>
  </form>`;
}
