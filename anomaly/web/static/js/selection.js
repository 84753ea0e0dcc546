// Which rows of the inbox are selected; a bar of deeds appears while any is.

/** Watch the boxes of a list. */
export function selection(list, deeds) {
  const boxes = () => [...list.querySelectorAll(".story-box:checked")];
  const rows = () => boxes().map((box) => box.closest(".story"));
  let last = null;

  function shown() {
    const count = boxes().length;
    list.classList.toggle("selecting", count > 0);
    if (!deeds) return;
    deeds.hidden = !count;
    const words = deeds.querySelector(".deeds-count");
    words.textContent = count === 1 ? words.dataset.one : words.dataset.many.replace("{n}", count);
  }

  function toggle(row) {
    const box = row.querySelector(".story-box");
    box.checked = !box.checked;
    shown();
  }

  function none() {
    boxes().forEach((box) => { box.checked = false; });
    shown();
  }

  list.addEventListener("click", (event) => {
    if (!event.target.matches(".story-box")) return;
    const row = event.target.closest(".story");
    if (event.shiftKey && last?.isConnected) {
      const all = [...list.querySelectorAll(".story")];
      const [from, to] = [all.indexOf(last), all.indexOf(row)].sort((a, b) => a - b);
      all.slice(from, to + 1).forEach((one) => { one.querySelector(".story-box").checked = event.target.checked; });
    }
    last = row;
    shown();
  });
  list.addEventListener("change", shown);
  return { rows, toggle, none };
}
