// Who are you? The credentials go to the broker in a header and stay in this tab.
import { html, useEffect, useRef, useState } from "./core/view.js";

export function Login({ again, logIn }) {
  const [error, fail] = useState(null);
  const [busy, work] = useState(false);
  const dialog = useRef(null);
  useEffect(() => { dialog.current?.showModal(); if (!again) document.title = "Log in · Warren"; }, []);
  async function send(event) {
    event.preventDefault();
    const said = new FormData(event.target);
    work(true);
    fail(null);
    try {
      await logIn(said.get("user"), said.get("password"));
    } catch (problem) {
      fail(problem);
      work(false);
    }
  }
  const form = html`<form class="login-form" onSubmit=${send}>
    <div class="brand"><${Mark} /><h1 id="login-title">${again ? "Log in again" : "Warren"}</h1></div>
    ${again && html`<p class="note">The broker no longer accepts your login. What you were doing is still here.</p>`}
    <div class="field"><label for="login-user">User</label><input id="login-user" name="user" autocomplete="username" required autofocus=${!again} defaultValue=${again ?? ""} autocapitalize="none" spellcheck=${false} /></div>
    <div class="field"><label for="login-password">Password</label><input id="login-password" name="password" type="password" autocomplete="current-password" autofocus=${Boolean(again)} /></div>
    ${error && html`<div class="wrong" role="alert">${words(error)}</div>`}
    <button class="primary" type="submit" disabled=${busy}>${busy ? "Logging in…" : "Log in"}</button>
  </form>`;
  if (again) return html`<dialog ref=${dialog} class="login-again" aria-labelledby="login-title" onCancel=${(event) => event.preventDefault()}>${form}</dialog>`;
  return html`<main class="login">${form}</main>`;
}

function words(error) {
  if (error.kind === "login") return "User or password is wrong, or this user may not log in from here (guest only may from the broker's own machine).";
  if (error.kind === "refused") return "This user has no management tag: it may use the broker, but not the dashboard.";
  return error.message;
}

export const Mark = () => html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M10.2 5.5c2 0 3.600 3.400 3.800 8h4c.2-4.600 1.800-8 3.800-8 1.900 0 2.400 3 1.700 7-.3 1.700-.7 3-1.200 4 1.300 1.400 2.200 3.200 2.200 5 0 3.400-3.800 5.500-8.500 5.500s-8.500-2.100-8.500-5.500c0-1.800.9-3.600 2.200-5-.5-1-.9-2.300-1.200-4-.7-4-.2-7 1.700-7z" /></svg>`;
