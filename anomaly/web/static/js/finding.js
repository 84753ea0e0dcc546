// One finding: keys press the buttons there are; events are searched in place; the suppression says what it would hide.
import { bind } from "./keys.js";

const press = (key) => {
  const button = document.querySelector(`#triage [data-key="${key}"]`);
  if (!button) return false;
  button.click();
};
for (const key of ["t", "b", "f", "c", "u", "s"]) bind(key, () => press(key));
bind("m", () => { const field = document.getElementById("comment"); if (!field) return false; field.focus(); });
bind("i", () => { document.querySelector("[data-back]").click(); });
bind("e", () => {
  const all = [...document.querySelectorAll("#events details")];
  const open = all.some((one) => !one.open);
  all.forEach((one) => { one.open = open; });
});

// The inbox leaves the order of its rows, so that one can go on from finding to finding.
const order = JSON.parse(sessionStorage.getItem("order") ?? "[]");
const here = order.indexOf(location.pathname.split("/").at(-1));
function go(by) {
  const next = here < 0 ? undefined : order[here + by];
  if (!next) return false;
  sessionStorage.setItem("at", next);
  location.href = `/findings/${next}${location.search}`;
}
bind("j", () => go(1));
bind("k", () => go(-1));
for (const button of document.querySelectorAll("[data-by]")) {
  const by = Number(button.dataset.by);
  button.hidden = here < 0 || !order[here + by];
  button.addEventListener("click", () => go(by));
}
const back = document.querySelector("[data-back]");
const from = sessionStorage.getItem("from");
if (back && from && here >= 0) back.href = from;

document.querySelector("[data-print]")?.addEventListener("click", () => window.print());

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-suppress]")) return;
  const dialog = document.getElementById("suppress");
  dialog.showModal();
  window.htmx.trigger(dialog.querySelector("fieldset"), "preview");
});

// Search in the events shown: what does not hold the words is hidden, what does is unfolded and marked.
const field = document.getElementById("event-search");
const list = document.getElementById("events");
const supported = typeof Highlight !== "undefined" && CSS.highlights;
function search() {
  const words = field.value.trim().toLowerCase();
  const ranges = [];
  let found = 0;
  for (const item of list.querySelectorAll(".event")) {
    const raw = item.querySelector(".event-raw").firstChild;
    const text = raw?.data.toLowerCase() ?? "";
    const holds = !words || text.includes(words);
    item.hidden = !holds;
    found += holds;
    if (words && holds) {
      item.querySelector("details").open = true;
      for (let at = text.indexOf(words); at >= 0 && ranges.length < 2000; at = text.indexOf(words, at + words.length)) {
        const range = new Range();
        range.setStart(raw, at);
        range.setEnd(raw, at + words.length);
        ranges.push(range);
      }
    } else if (!words) item.querySelector("details").open = false;
  }
  if (supported) CSS.highlights.set("found", new Highlight(...ranges));
  document.getElementById("events-none").hidden = found > 0;
}
field?.addEventListener("input", () => { if (list) search(); });
