// The one Trusted Types policy of the console: HTML comes from answers of this service, which escaped it; scripts come from
// files alone, so whatever would run text is refused.
const refuse = () => {
  throw new TypeError("No script is ever made of text here.");
};
const plain = { createHTML: (text) => text, createScript: refuse };
const policy = window.trustedTypes ? window.trustedTypes.createPolicy("anomaly", { createHTML: (text) => text }) : plain;

window.htmx.registerExtension("trust", {
  init(api) {
    const given = { createHTML: (text) => policy.createHTML(text), createScript: refuse };
    api.initSecurity(given, refuse, refuse);
  },
});
