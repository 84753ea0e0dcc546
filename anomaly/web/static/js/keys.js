// The keyboard: `?` lists the keys, `/` goes to the search, `g` and a letter to a page; pages bind their own with `bind`.
const bound = new Map();
let waiting = 0;

/** Have a key do something on this page. `act` gets the event; it returns false when there was nothing to do. */
export function bind(key, act) {
  bound.set(key, act);
}

const typing = (target) => target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");

function help() {
  const list = document.getElementById("keys");
  if (list && !list.open) list.showModal();
}

function go(key) {
  const link = [...document.querySelectorAll("[data-go]")].find((one) => one.dataset.go === key);
  if (link) location.href = link.href;
  return Boolean(link);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  const second = Date.now() - waiting < 1200;
  waiting = 0;
  if (second && go(event.key)) return event.preventDefault();
  if (event.key === "g") waiting = Date.now();
  else if (event.key === "?") help();
  else if (event.key === "/") {
    const field = document.querySelector("[data-search]");
    if (!field) return;
    field.focus();
    field.select?.();
  } else if (!bound.has(event.key) || bound.get(event.key)(event) === false) return;
  event.preventDefault();
}

/** Begin to listen. */
export function listen() {
  document.addEventListener("keydown", pressed);
  document.querySelector("[data-help]")?.addEventListener("click", help);
}
