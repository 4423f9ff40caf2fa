// A message as it is: text stays text, bytes are shown as bytes; nothing of it is ever run or rendered.
import { html, useState } from "../core/view.js";
import { bytes, exchangeLabel } from "../core/format.js";
import { Badge, Facts, Table } from "./bits.js";

/** Bytes of a payload that are asked for; the rest stays in the broker. */
export const MOST = 65_536;
const HEX_MOST = 4096;

export function Message({ message, extra = [], head, open = false }) {
  const { properties, payload_bytes: size } = message;
  const { headers, ...rest } = Array.isArray(properties) ? {} : properties ?? {};
  const facts = [["Exchange", exchangeLabel(message.exchange)], ["Routing key", message.routing_key === "" ? html`<span class="zero">empty</span>` : html`<span class="mono">${message.routing_key}</span>`], ...extra, ...Object.entries(rest).map(([name, value]) => [name.replaceAll("_", " "), name === "timestamp" ? html`<span title=${value}>${stamp(value)}</span>` : String(value)])];
  return html`<details class="message" open=${open}>
    <summary>${head}<span class="mono clip">${preview(message)}</span><span class="tags">${message.redelivered && html`<${Badge} tone="warn" title="It was delivered before">redelivered</>`}<${Badge}>${bytes(size)}</></span></summary>
    <div class="message-body"><${Facts} rows=${facts} />${headers && Object.keys(headers).length > 0 && html`<h3>Headers</h3><${Table} value=${headers} />`}<${Payload} message=${message} /></div>
  </details>`;
}

function stamp(seconds) {
  const date = new Date(Number(seconds) * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toLocaleString("en-GB");
}

function preview({ payload, payload_encoding: encoding, payload_bytes: size }) {
  if (size === 0) return "(empty)";
  return encoding === "base64" ? hex(decode(payload).slice(0, 24)) : payload.slice(0, 160).replace(/\s+/g, " ");
}

function Payload({ message }) {
  const { payload, payload_encoding: encoding, payload_bytes: size } = message;
  const data = encoding === "base64" ? decode(payload) : new TextEncoder().encode(payload);
  const pretty = encoding === "base64" ? undefined : asJson(payload);
  const views = [pretty !== undefined && ["json", "JSON"], encoding !== "base64" && ["text", "Text"], ["hex", "Bytes"]].filter(Boolean);
  const [view, set] = useState(views[0][0]);
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([data]));
    link.download = "message.bin";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const text = view === "hex" ? dump(data) : view === "json" ? pretty : payload;
  return html`<div class="payload">
    <div class="payload-bar"><h3>Payload</h3><div class="segments" role="group" aria-label="Show as">${views.map(([id, label]) => html`<button class="small" key=${id} aria-pressed=${view === id} onClick=${() => set(id)}>${label}</button>`)}</div><span class="gap"></span><button class="small" onClick=${save}>Save</button></div>
    ${size === 0 ? html`<p class="note">Empty.</p>` : html`<pre tabindex="0">${text}</pre>`}
    ${data.length < size && html`<p class="note">The first ${bytes(data.length)} of ${bytes(size)}.</p>`}
  </div>`;
}

function asJson(text) {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return undefined; }
}

function decode(base64) {
  try { return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)); } catch { return new Uint8Array(); }
}
const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

function dump(data) {
  const lines = [];
  for (let at = 0; at < Math.min(data.length, HEX_MOST); at += 16) {
    const row = data.slice(at, at + 16);
    const text = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex(row).padEnd(47)}  ${text}`);
  }
  if (data.length > HEX_MOST) lines.push("…");
  return lines.join("\n");
}
