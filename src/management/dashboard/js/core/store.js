// Values that several parts of the page look at, and what the browser remembers for the next visit.
import { useEffect, useState } from "./view.js";

/** A value with listeners. */
export function store(value) {
  const listeners = new Set();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const listener of [...listeners]) listener(value);
    },
    on(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** The value of a store; the component is drawn again when it changes. */
export function useStore(from) {
  const [value, set] = useState(from.get());
  useEffect(() => {
    set(from.get());
    return from.on((next) => set(() => next));
  }, [from]);
  return value;
}

const PREFIX = "warren.";

/** A store that outlives the page. */
function remembered(name, fallback) {
  let value = fallback;
  try {
    const text = localStorage.getItem(PREFIX + name);
    if (text !== null) value = JSON.parse(text);
  } catch { /* a browser that keeps nothing, or something that is no JSON */ }
  const kept = store(value);
  kept.on((next) => {
    try { localStorage.setItem(PREFIX + name, JSON.stringify(next)); } catch { /* not kept */ }
  });
  return kept;
}

export const theme = remembered("theme", "auto");
export const interval = remembered("interval", 5);
export const range = remembered("range", 600);
