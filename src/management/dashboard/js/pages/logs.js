// The broker's log as it is written.
import { html, useEffect, useRef, useState } from "../core/view.js";
import { ask } from "../core/api.js";
import { setQuery, useRoute } from "../core/route.js";
import { Badge, Head, Wrong } from "../ui/bits.js";

const LEVELS = ["error", "warn", "info", "debug"];
const TONES = { error: "bad", warn: "warn", info: "quiet" };
/** Lines that are kept on the page, and those that are asked for at first. */
const MOST = 1000, FIRST = 200;
const AGAIN = 2000;

export default function Logs() {
  const { query } = useRoute();
  const level = query.level ?? "info";
  const [lines, set] = useState([]);
  const [error, fail] = useState(null);
  const [live, pause] = useState(true);
  const [text, type] = useState("");
  const end = useRef(null);
  useEffect(() => {
    if (!live) return undefined;
    const stop = new AbortController();
    let last = 0;
    const add = (some) => {
      const fresh = some.filter((line) => line.id > last);
      if (!fresh.length) return;
      last = fresh.at(-1).id;
      set((old) => [...old, ...fresh].slice(-MOST));
    };
    // A stream that begins (again) tells the latest lines first; a broker that was restarted counts from 1.
    const begun = (problem) => {
      fail(problem);
      if (problem) return;
      last = 0;
      set([]);
    };
    follow(level, stop.signal, add, begun);
    return () => stop.abort();
  }, [level, live]);
  useEffect(() => { if (live) end.current?.scrollTo(0, end.current.scrollHeight); }, [lines, live]);
  const wanted = text.toLowerCase();
  const shown = wanted ? lines.filter((line) => plain(line).toLowerCase().includes(wanted)) : lines;
  return html`<${Head} title="Log"><label class="inline">Level <select aria-label="Least level" value=${level} onChange=${(event) => setQuery({ level: event.target.value === "info" ? undefined : event.target.value })}>${LEVELS.map((each) => html`<option key=${each}>${each}</option>`)}</select></label><button onClick=${() => pause(!live)} aria-pressed=${!live}>${live ? "Pause" : "Go on"}</button></>
    <div class="list-bar"><div class="filter"><input type="search" data-filter aria-label="Show lines with this text" placeholder="Show lines with this text  ( / )" value=${text} onInput=${(event) => type(event.target.value)} /></div><span class="note">${live ? "live" : "paused"}</span></div>
    <${Wrong} error=${error?.kind === "offline" ? null : error} />
    <div class="log" ref=${end} tabindex="0" role="log" aria-label="Log lines">${shown.length === 0 ? html`<p class="note">No lines yet.</p>` : shown.map((line) => html`<div key=${line.id} class="line ${TONES[line.level] ?? ""}"><time title=${line.timestamp}>${(line.timestamp ?? "").slice(11, 23)}</time><${Badge} tone=${TONES[line.level] ?? "quiet"}>${line.level}</><span><b>${line.message}</b> <small>${fields(line)}</small></span></div>`)}</div>`;
}

const fields = (line) => [line.target, ...Object.entries(line.fields ?? {}).map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)].join("  ");
const plain = (line) => `${line.level} ${line.message} ${fields(line)}`;

/** Reads the stream until it is stopped; begins again when it breaks. */
async function follow(level, signal, add, fail) {
  while (!signal.aborted) {
    try {
      const answer = await ask("GET", "logs/stream", { query: { lines: FIRST, level }, headers: { accept: "text/event-stream, application/json" }, signal, patience: 0 });
      fail(null);
      await events(answer.body.pipeThrough(new TextDecoderStream()).getReader(), add);
    } catch (error) {
      if (signal.aborted) return;
      fail(error);
      if (error.kind === "refused" || error.kind === "missing") return;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

/** Server-sent events; what comes at once is shown at once. */
async function events(reader, add) {
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += value;
    const whole = rest.split("\n\n");
    rest = whole.pop();
    add(whole.map(event).filter(Boolean));
  }
}

function event(text) {
  const data = text.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart()).join("\n");
  if (!data || /^event: *missed/m.test(text)) return null;
  try { return JSON.parse(data); } catch { return null; }
}
