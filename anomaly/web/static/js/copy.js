// Copying what stands in an element: `data-copy` on a button names it, `data-copied` says so afterwards.
import { say } from "./messages.js";

/** Where the clipboard is closed to us (a page without TLS), what is to be copied is selected, so that Ctrl+C does it. */
async function copy(from) {
  try {
    await navigator.clipboard.writeText(from.textContent);
    return true;
  } catch {
    const range = document.createRange();
    range.selectNodeContents(from);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return document.execCommand("copy");
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button && (await copy(document.getElementById(button.dataset.copy)))) say(button.dataset.copied);
});
