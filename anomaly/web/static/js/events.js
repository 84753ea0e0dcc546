// The page of events: suggestions while typing, a time narrowed by dragging over the picture, rows that open in their place.
import { bind } from "./keys.js";

const field = document.getElementById("q");
const list = document.getElementById("suggestions");
let shown = { start: 0, end: 0, found: [] };
let chosen = -1;
let asking = null;
let pause = 0;

function close() {
  list.hidden = true;
  chosen = -1;
  field.setAttribute("aria-expanded", "false");
  field.removeAttribute("aria-activedescendant");
}

function choose(place) {
  chosen = place;
  [...list.children].forEach((one, number) => one.setAttribute("aria-selected", String(number === place)));
  const one = list.children[place];
  if (!one) return field.removeAttribute("aria-activedescendant");
  field.setAttribute("aria-activedescendant", one.id);
  one.scrollIntoView({ block: "nearest" });
}

function take(place) {
  const text = shown.found[place]?.text;
  if (text === undefined) return;
  const before = field.value.slice(0, shown.start) + text + (text.endsWith(":") ? "" : " ");
  field.value = before + field.value.slice(shown.end).trimStart();
  field.setSelectionRange(before.length, before.length);
  field.focus();
  close();
  if (text.endsWith(":")) suggest();
}

function show(answer) {
  shown = answer;
  chosen = -1;
  list.replaceChildren(...answer.found.map((one, place) => {
    const item = document.createElement("li");
    item.id = `suggestion-${place}`;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    const value = document.createElement("bdi");
    value.textContent = one.text;
    const about = document.createElement("span");
    about.textContent = one.about || (one.events ? `≈ ${one.events.toLocaleString("en")}` : "");
    item.append(value, about);
    item.addEventListener("mousedown", (event) => {
      event.preventDefault();
      take(place);
    });
    return item;
  }));
  const some = answer.found.length > 0 && document.activeElement === field;
  list.hidden = !some;
  field.setAttribute("aria-expanded", String(some));
}

async function suggest() {
  clearTimeout(pause);
  asking?.abort();
  asking = new AbortController();
  const asked = new URLSearchParams({ q: field.value, caret: field.selectionStart ?? field.value.length });
  try {
    const answer = await fetch(`/events/suggestions?${asked}`, { signal: asking.signal, credentials: "same-origin" });
    if (answer.ok) show(await answer.json());
  } catch {
    // Asked again with the next letter; nothing is lost without suggestions.
  }
}

field.addEventListener("input", () => {
  // What is shown, or on its way, is about the text before: taken now, it would leave what was typed since behind it.
  asking?.abort();
  close();
  clearTimeout(pause);
  pause = setTimeout(suggest, 90);
});
field.addEventListener("blur", close);
field.addEventListener("keydown", (event) => {
  const number = shown.found.length;
  if (event.key === "ArrowDown" && list.hidden) suggest();
  else if (list.hidden || !number) return;
  else if (event.key === "ArrowDown") choose((chosen + 1) % number);
  else if (event.key === "ArrowUp") choose((chosen - 1 + number) % number);
  else if (event.key === "Escape") {
    close();
    event.stopPropagation();
  } else if ((event.key === "Enter" && chosen >= 0) || (event.key === "Tab" && !event.shiftKey)) take(Math.max(chosen, 0));
  else return;
  event.preventDefault();
});

// Narrowing: from the bar where the pointer goes down to the one where it goes up.
let begun = null;
const bars = () => [...document.querySelectorAll("[data-bars] > li")];

function at(picture, event) {
  const box = picture.getBoundingClientRect();
  const share = (event.clientX - box.left) / box.width;
  return Math.min(Math.max(Math.floor(share * bars().length), 0), bars().length - 1);
}

function mark(picture, from, to) {
  picture.querySelector(".picked")?.remove();
  const each = picture.viewBox.baseVal.width / bars().length;
  const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  box.setAttribute("class", "picked");
  box.setAttribute("x", String(Math.min(from, to) * each));
  box.setAttribute("width", String((Math.abs(to - from) + 1) * each));
  box.setAttribute("height", String(picture.viewBox.baseVal.height));
  picture.insertBefore(box, picture.querySelector(".bar"));
}

document.addEventListener("pointerdown", (event) => {
  const picture = event.target.closest?.("[data-narrow]");
  if (!picture || event.button !== 0) return;
  begun = { picture, place: at(picture, event) };
  picture.setPointerCapture(event.pointerId);
  mark(picture, begun.place, begun.place);
});
document.addEventListener("pointermove", (event) => {
  if (begun) mark(begun.picture, begun.place, at(begun.picture, event));
});
document.addEventListener("pointercancel", () => {
  begun?.picture.querySelector(".picked")?.remove();
  begun = null;
});
document.addEventListener("pointerup", (event) => {
  if (!begun) return;
  const ends = [begun.place, at(begun.picture, event)].sort((a, b) => a - b).map((place) => bars()[place]);
  begun = null;
  const url = new URL(location.href);
  for (const name of ["span", "cursor"]) url.searchParams.delete(name);
  url.searchParams.set("since", ends[0].dataset.since);
  url.searchParams.set("until", ends[1].dataset.until);
  location.assign(url);
});

// Rows: the first link of each opens the event below it.
const rows = () => [...document.querySelectorAll("[data-row]")];
let here = -1;

function open(row) {
  const link = row.querySelector("[data-open]");
  const below = row.nextElementSibling;
  below.hidden = !below.hidden;
  link.setAttribute("aria-expanded", String(!below.hidden));
  if (!below.hidden && !row.dataset.loaded) {
    row.dataset.loaded = "yes";
    link.dispatchEvent(new CustomEvent("show", { bubbles: true }));
  }
}

function stand(place) {
  const all = rows();
  if (!all.length) return false;
  all[here]?.classList.remove("chosen");
  here = Math.min(Math.max(place, 0), all.length - 1);
  all[here].classList.add("chosen");
  all[here].querySelector("[data-open]").focus({ preventScroll: true });
  all[here].scrollIntoView({ block: "nearest" });
  return true;
}

document.addEventListener("click", (event) => {
  const row = event.target.closest?.("[data-row]");
  if (!row || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  if (String(getSelection()).length) return;
  event.preventDefault();
  here = rows().indexOf(row);
  open(row);
});
bind("j", () => stand(here + 1));
bind("k", () => stand(here - 1));
bind("o", () => here >= 0 && (open(rows()[here]), true));

// Columns: one parameter instead of many.
for (const form of document.querySelectorAll("[data-columns]")) {
  form.addEventListener("submit", () => {
    const wanted = [...form.querySelectorAll("input[type=checkbox]:checked")].map((one) => one.value);
    form.elements.cols.value = wanted.join(",");
  });
}
document.addEventListener("click", (event) => {
  for (const one of document.querySelectorAll("details.drop[open]")) if (!one.contains(event.target)) one.open = false;
});
