// The one Trusted Types policy of the console: HTML comes from answers of this service, which escaped it; scripts come from
// files alone, so whatever would run text is refused.
//
// A plain script before htmx, which begins by itself as soon as it is there: an answer that came before the policy was refused.
{
  const refuse = () => {
    throw new TypeError("No script is ever made of text here.");
  };
  const plain = { createHTML: (text) => text };
  const policy = window.trustedTypes ? window.trustedTypes.createPolicy("anomaly", plain) : plain;
  const trust = {
    init(api) {
      const given = { createHTML: (text) => policy.createHTML(text), createScript: refuse };
      api.initSecurity(given, refuse, refuse);
    },
  };
  Object.defineProperty(window, "htmx", {
    configurable: true,
    set(htmx) {
      Object.defineProperty(window, "htmx", { value: htmx, writable: true, configurable: true });
      htmx.registerExtension("trust", trust);
    },
  });
}
