// Every request that htmx makes: with the token that shows it comes from our page; and what to do when none comes back.
import { say } from "./messages.js";

const token = () => document.querySelector('meta[name="csrf"]')?.content ?? "";
const words = () => document.getElementById("messages")?.dataset ?? {};

document.addEventListener("htmx:config:request", (event) => {
  event.detail.ctx.request.headers["X-CSRF-Token"] = token();
});

document.addEventListener("htmx:error", () => say(words().offline, { kind: "failed" }));

document.addEventListener("htmx:response:error", (event) => {
  // Whoever answers with words of its own has them shown already.
  const headers = event.detail.ctx?.response?.headers;
  if (!headers?.get?.("HX-Trigger")) say(words().failed, { kind: "failed" });
});

/** Post fields to this service; resolves with the answer, or null when none came. */
export async function post(path, fields) {
  try {
    return await fetch(path, {
      method: "POST",
      headers: { "X-CSRF-Token": token(), "HX-Request": "true", "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(fields),
      credentials: "same-origin",
    });
  } catch {
    say(words().offline, { kind: "failed" });
    return null;
  }
}
