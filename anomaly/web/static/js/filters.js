// Filters go by themselves once chosen, leave nothing empty in the URL, and can be kept as views.
import { post } from "./requests.js";
import { say } from "./messages.js";

for (const form of document.querySelectorAll("[data-filters]")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("input[type=checkbox], select")) form.requestSubmit();
  });
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}

// One folded box is open at a time, and none once the click or the focus is elsewhere.
const picks = () => [...document.querySelectorAll("details.pick[open]")];
document.addEventListener("click", (event) => picks().forEach((one) => { if (!one.contains(event.target)) one.open = false; }));
document.addEventListener("focusin", (event) => picks().forEach((one) => { if (!one.contains(event.target)) one.open = false; }));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const one of picks()) {
    one.open = false;
    one.querySelector("summary").focus();
  }
});

async function sent(path, fields) {
  const answer = await post(path, fields);
  if (!answer) return;
  const said = JSON.parse(answer.headers.get("HX-Trigger") ?? "{}").said;
  if (!answer.ok) return say(said?.text ?? "", { kind: "failed" });
  sessionStorage.setItem("said", JSON.stringify(said));
  location.reload();
}

document.querySelector("[data-keep-view]")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = new FormData(event.target).get("name");
  sent("/inbox/views", [["name", name], ["query", location.search], ["path", location.pathname]]);
});
for (const button of document.querySelectorAll("[data-drop-view]")) {
  button.addEventListener("click", () => sent(`/inbox/views/${button.dataset.dropView}/drop`, []));
}
