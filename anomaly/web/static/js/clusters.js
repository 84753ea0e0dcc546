// Pages of clusters: lights that turn on by themselves, files to copy, keys.
import "./live.js";
import "./copy.js";
import { bind } from "./keys.js";

const follow = (selector) => () => {
  const link = document.querySelector(selector);
  if (!link) return false;
  link.click();
};
bind("a", follow("[data-add]"));
bind("h", follow("[data-doctor]"));
