// Lists of rows with a link each: `j` and `k` move, Enter follows the link as it does anywhere; `c` and `i` press what says so.
import { bind } from "./keys.js";

const links = () => [...document.querySelectorAll("[data-row]")].map((row) => row.querySelector("a")).filter(Boolean);

function step(by) {
  const all = links();
  if (!all.length) return false;
  const row = document.activeElement?.closest?.("[data-row]");
  const here = all.findIndex((one) => row?.contains(one));
  const next = all[here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, here + by))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}
bind("j", () => step(1));
bind("k", () => step(-1));

bind("i", () => { const back = document.querySelector("[data-back]"); if (!back) return false; back.click(); });
for (const key of ["c", "p"]) {
  bind(key, () => { const button = document.querySelector(`[data-key="${key}"]`); if (!button) return false; button.click(); });
}
