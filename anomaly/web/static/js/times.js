// Times in the viewer's zone. The service writes them so itself once it knows the zone by the cookie; until then, here.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const parts = new Intl.DateTimeFormat("en-GB", {
  timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const FORMS = {
  full: (t) => `${t.year}-${t.month}-${t.day} ${t.hour}:${t.minute}:${t.second}`,
  minute: (t) => `${t.year}-${t.month}-${t.day} ${t.hour}:${t.minute}`,
  short: (t) => `${t.month}-${t.day} ${t.hour}:${t.minute}`,
  clock: (t) => `${t.hour}:${t.minute}:${t.second}`,
  day: (t) => `${t.year}-${t.month}-${t.day}`,
};

document.cookie = `anomaly_zone=${zone}; path=/; max-age=31536000; samesite=lax`;

/** Write a moment (milliseconds or text) in the viewer's zone; `form` as in anomaly/web/console/moments.py. */
export function written(at, form = "minute") {
  const found = Object.fromEntries(parts.formatToParts(new Date(at)).map((part) => [part.type, part.value]));
  return FORMS[form](found);
}

/** Write every time of a part of the page in the viewer's zone. */
export function localTimes(root) {
  for (const one of root.querySelectorAll("time[data-form]")) {
    const text = written(one.dateTime, one.dataset.form);
    if (one.textContent !== text) one.textContent = text;
  }
}
