// Cluster and time: the form goes by itself once something is chosen; only a time of one's own waits to be written.
for (const form of document.querySelectorAll("form[data-autosubmit]")) {
  const span = form.querySelector("select[data-custom]");
  const custom = span && document.getElementById(span.dataset.custom);
  form.addEventListener("change", (event) => {
    if (span && custom) custom.hidden = custom.disabled = span.value !== "custom";
    if (event.target.matches("select") && span?.value !== "custom") form.requestSubmit();
    else if (event.target === span) custom.querySelector("input").focus();
  });
  // An address without empty fields is easier to read, and to pass on.
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "" || (name === "span" && value === "custom")) event.formData.delete(name);
  });
}
