// Looks again every few seconds, while somebody can see it.
import { useCallback, useEffect, useRef, useState } from "./view.js";
import { contact } from "./api.js";
import { interval, store } from "./store.js";

/** Seconds after which a broker that does not answer is asked again. */
const RETRY = 2;

/** What looks again when the user asks for it, or the page comes to the fore. */
const again = store(0);
export const refresh = () => again.set(again.get() + 1);

let seen = Date.now();
addEventListener("visibilitychange", () => {
  if (document.hidden) seen = Date.now();
  else if (interval.get() && Date.now() - seen > 1000 * interval.get()) refresh();
});
addEventListener("online", refresh);
contact.on((state) => { if (state === "ok") refresh(); });

/** Seconds between two looks; 0: none. */
const pace = (every, wanted) => (every === 0 || wanted === 0 ? 0 : Math.max(every ?? 0, wanted));

/**
 * Loads something and keeps it fresh: {data, error, busy, reload}. What was seen last stays while
 * there is no answer. `load` gets an AbortSignal; it is not called more often than `every` seconds (0:
 * only once) nor than the user wants.
 */
export function usePoll(load, needs, { every, on = true } = {}) {
  const [state, set] = useState({ data: undefined, error: undefined, busy: true });
  const latest = useRef(load);
  latest.current = load;
  const reload = useRef(() => {});

  useEffect(() => {
    if (!on) return undefined;
    let timer, abort, over = false;
    set((old) => ({ ...old, busy: true }));
    async function look() {
      clearTimeout(timer);
      abort?.abort();
      const mine = abort = new AbortController();
      try {
        const data = await latest.current(mine.signal);
        if (over || mine.signal.aborted) return;
        set({ data, busy: false });
      } catch (error) {
        if (over || mine.signal.aborted) return;
        set((old) => ({ data: error.kind === "missing" ? undefined : old.data, error, busy: false }));
      }
      plan();
    }
    function plan() {
      clearTimeout(timer);
      const seconds = contact.get() === "offline" ? RETRY : pace(every, interval.get());
      if (seconds) timer = setTimeout(() => (document.hidden ? plan() : look()), seconds * 1000);
    }
    reload.current = look;
    look();
    const stop = [again.on(look), interval.on(plan)];
    return () => {
      over = true;
      clearTimeout(timer);
      abort?.abort();
      stop.forEach((end) => end());
    };
  }, [on, every, ...needs]);

  return { ...state, reload: useCallback(() => reload.current(), []) };
}
