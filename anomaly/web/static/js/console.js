// What every page of the console does. One file a concern; nothing here knows a page.
import "./requests.js";
import { localTimes } from "./times.js";
import { listen } from "./keys.js";
import "./look.js";
import "./scope.js";
import { listenForWords } from "./messages.js";

document.documentElement.classList.add("scripted");
localTimes(document);
document.addEventListener("htmx:after:swap", () => localTimes(document));
listen();
listenForWords();
