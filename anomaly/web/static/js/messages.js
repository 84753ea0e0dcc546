// What the console says to whoever uses it: a few words, read out by screen readers, gone by themselves unless they report a failure.
const STAYS = 9000;

/** Say a sentence. `undo` is a function that takes back what was done, offered as a button. */
export function say(text, { kind = "done", undo = null } = {}) {
  const area = document.getElementById("messages");
  if (!area || !text) return;
  const box = document.createElement("div");
  box.className = `message message-${kind}`;
  const words = document.createElement("span");
  words.textContent = text;
  box.append(words);
  if (undo) box.append(button(area.dataset.undo, () => { box.remove(); undo(); }));
  box.append(button("×", () => box.remove(), area.dataset.close));
  while (area.children.length >= 3) area.firstElementChild.remove();
  area.append(box);
  if (kind !== "failed") leave(box);
}

function button(text, act, label = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "ghost";
  made.textContent = text;
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function leave(box) {
  const timer = setTimeout(() => (box.matches(":hover, :focus-within") ? leave(box) : box.remove()), STAYS);
  return timer;
}

/** Show what answers of the service say (`saying` in anomaly/web/console/answer.py), and what was said before the page was loaded again. */
export function listenForWords() {
  const kept = JSON.parse(sessionStorage.getItem("said") ?? "null");
  sessionStorage.removeItem("said");
  if (kept) say(kept.text, kept);
  document.addEventListener("said", (event) => say(event.detail.text, event.detail));
}
