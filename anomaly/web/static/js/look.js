// Colours, language and the folded menu: chosen here, remembered in cookies, so that the next page comes as wanted at once.
const THEMES = ["auto", "light", "dark"];

function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
}

document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  root.dataset.theme = next;
  remember("anomaly_theme", next);
  document.dispatchEvent(new CustomEvent("theme"));
});

document.querySelector("[data-language]")?.addEventListener("change", (event) => {
  remember("anomaly_language", event.target.value);
  location.reload();
});

document.querySelector('[data-toggle="rail"]')?.addEventListener("click", (event) => {
  const button = event.currentTarget;
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  button.closest(".rail").classList.toggle("unfolded", open);
});
