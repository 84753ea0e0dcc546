// The inbox: a cursor that keys move, deeds on the row under it or on all that are selected, undo, and word of what is new.
import { bind } from "./keys.js";
import { say } from "./messages.js";
import { post } from "./requests.js";
import { selection } from "./selection.js";
import "./filters.js";

const list = document.getElementById("stories");
const deeds = document.getElementById("deeds");
const rows = () => [...(list?.querySelectorAll(".story") ?? [])];
const linkOf = (row) => row?.querySelector(".story-link");
const query = location.search;
let at = null;
let undoable = [];

function put(row, focus = true) {
  at?.classList.remove("at");
  at = row ?? null;
  if (!at) return;
  at.classList.add("at");
  if (focus) linkOf(at).focus({ preventScroll: true });
  at.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = rows().filter((row) => !row.classList.contains("pending"));
  if (!all.length) return false;
  const here = all.indexOf(at);
  put(all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, here + by))]);
}

const chosen = list && selection(list, deeds);

/** What a deed is done to: all selected rows, else the one under the cursor. */
const targets = () => (chosen.rows().length ? chosen.rows() : at ? [at] : []);
const findingsOf = (row) => row.dataset.findings.trim().split(" ");

async function act(move) {
  if (!list || !("mayTriage" in list.dataset)) return false;
  const those = targets();
  if (!those.length) return false;
  const next = nextAfter(those);
  those.forEach((row) => row.classList.add("pending"));
  chosen.none();
  put(next);
  const fields = [["move", move], ...those.flatMap(findingsOf).map((one) => ["finding", one])];
  const answer = await post("/inbox/moves", fields);
  those.forEach((row) => row.classList.remove("pending"));
  if (!answer) return;
  await told(answer, those);
}

/** Where the cursor goes while those rows are dealt with: to the next one that stays. */
function nextAfter(those) {
  const all = rows();
  const last = all.indexOf(those.at(-1));
  const free = (row) => !those.includes(row) && !row.classList.contains("pending");
  return all.slice(last + 1).find(free) ?? all.slice(0, last).reverse().find(free) ?? those[0];
}

async function told(answer, those) {
  if (!answer.ok) {
    const said = JSON.parse(answer.headers.get("HX-Trigger") ?? "{}").said;
    return say(said?.text ?? document.getElementById("messages").dataset.failed, { kind: "failed" });
  }
  const result = await answer.json();
  undoable = result.undo.length ? result.undo : undoable;
  say(result.text, { kind: result.refused.length ? "note" : "done", undo: result.undo.length ? () => undo(result.undo) : null });
  await Promise.all(those.map(renew));
  renewHead();
  if (!rows().length) location.reload();
}

/** Show a row as it is now; what belongs to the list no longer goes. */
async function renew(row) {
  const ids = findingsOf(row).map((one) => `finding=${one.split(":")[0]}`).join("&");
  const more = query ? `&${query.slice(1)}` : "";
  const was = row === at || row.contains(document.activeElement);
  const id = row.id;
  await window.htmx.ajax("GET", `/inbox/story?row=${row.dataset.story}&${ids}${more}`, { source: row, target: row, swap: "outerHTML swapEmpty:true" });
  const now = document.getElementById(id);
  if (row.isConnected && !now) row.remove();
  if (was) put(now ?? rows().find((one) => !one.classList.contains("pending")));
}

let later = 0;
function renewHead() {
  clearTimeout(later);
  later = setTimeout(() => window.htmx.ajax("GET", `/inbox/head${query}`, { source: "#inbox-head", target: "#inbox-head", swap: "outerHTML" }), 250);
}

async function undo(those = undoable) {
  if (!those.length) return false;
  undoable = [];
  const answer = await post("/inbox/moves", [["move", "undo"], ...those.map((one) => ["finding", one])]);
  if (!answer?.ok) return answer && told(answer, []);
  const result = await answer.json();
  sessionStorage.setItem("said", JSON.stringify({ text: result.text, kind: result.refused.length ? "note" : "done" }));
  sessionStorage.setItem("at", those[0].split(":")[0]);
  location.reload();
}

if (list) {
  bind("j", () => step(1));
  bind("k", () => step(-1));
  bind("ArrowDown", () => (at ? step(1) : false));
  bind("ArrowUp", () => (at ? step(-1) : false));
  bind("x", () => (at ? chosen.toggle(at) : false));
  bind("o", () => { const more = at?.querySelector("details"); if (!more) return false; more.open = !more.open; });
  bind("Escape", () => chosen.none());
  for (const [key, move] of [["t", "take"], ["b", "benign"], ["f", "false_alarm"], ["c", "true"]]) bind(key, () => { act(move); });
  list.addEventListener("focusin", (event) => { const row = event.target.closest(".story"); if (row && row !== at) put(row, false); });
  deeds?.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move]");
    if (button) act(button.dataset.move);
    else if (event.target.closest("[data-select]")) chosen.none();
  });
}
bind("u", () => { undo(); });
bind("r", () => { const link = document.querySelector("[data-news]"); if (!link) return false; location.href = link.href; });

// Where the cursor stood before the page was loaded again.
const before = sessionStorage.getItem("at");
const back = before && rows().find((row) => row.dataset.findings.includes(before));
if (back) put(back);
sessionStorage.removeItem("at");

// Opened findings come back to the row they were opened from, and go on to the next one.
list?.addEventListener("click", (event) => {
  const row = event.target.closest(".story");
  if (!row || !event.target.closest("a")) return;
  sessionStorage.setItem("at", row.dataset.story);
  sessionStorage.setItem("from", location.href);
  sessionStorage.setItem("order", JSON.stringify(rows().map((one) => one.dataset.story)));
});

const news = document.getElementById("news");
const WAIT = 15000;
async function ask() {
  if (document.visibilityState === "visible" && news) {
    const more = query ? `&${query.slice(1)}` : "";
    await window.htmx.ajax("GET", `/inbox/news?after=${encodeURIComponent(news.dataset.after)}${more}`, { source: news, target: news, swap: "innerHTML swapEmpty:true" });
  }
  setTimeout(ask, WAIT);
}
setTimeout(ask, WAIT);
document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") renewHead(); });
