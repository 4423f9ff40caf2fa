// The view library: Preact with htm's templates. Everything that is shown goes through here, and
// text stays text: nothing in the dashboard makes HTML of a string.
import { h, render, Fragment, createContext } from "../../vendor/preact.js";
import htm from "../../vendor/htm.js";

export const html = htm.bind(h);
export { render, Fragment, createContext };
export {
  useState, useEffect, useRef, useMemo, useCallback, useContext, useLayoutEffect, useErrorBoundary, useId,
} from "../../vendor/hooks.js";
