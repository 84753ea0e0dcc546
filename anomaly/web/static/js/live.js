// A part of a page that keeps itself up to date: `data-live` names what to ask, `data-every` after how many seconds. What has the
// focus keeps it, what was unfolded stays so; nothing is asked while nobody looks.
import { say } from "./messages.js";

const lightsOf = (root) => new Map([...root.querySelectorAll("[data-light][data-first]")].map((one) => [one.dataset.first, one.dataset.light]));

async function renew(part) {
  const before = lightsOf(part);
  const open = [...part.querySelectorAll("details")].map((one) => one.open);
  await window.htmx.ajax("GET", part.dataset.live, { source: part, target: part, swap: "innerMorph" });
  [...part.querySelectorAll("details")].forEach((one, place) => { one.open = open[place] ?? one.open; });
  for (const [words, light] of lightsOf(part)) if (before.get(words) === "never" && light !== "never") say(words);
}

async function turn(part) {
  if (document.visibilityState === "visible") await renew(part);
  setTimeout(() => turn(part), 1000 * Number(part.dataset.every));
}

for (const part of document.querySelectorAll("[data-live]")) setTimeout(() => turn(part), 1000 * Number(part.dataset.every));
