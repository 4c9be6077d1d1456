// Pages opened from disk may start no worker. The search of the theme then runs in a hidden frame, which
// speaks to the page as a worker does. In place of a script that the theme would fetch from a server.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inner = this.frame.contentWindow;
      window.addEventListener("message", (event) => {
        if (event.source !== inner) return;
        const message = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(message);
        if (this.onmessage) this.onmessage(message);
      });
      const page = inner.document;
      page.open();
      page.write("<!doctype html><html><head></head><body></body></html>");
      page.close();
      inner.postMessage = (data) => window.dispatchEvent(new MessageEvent("message", { data, source: inner }));
      inner.importScripts = (...scripts) => Promise.all(scripts.map((each) => load(page, each)));
      this.ready = load(page, address);
    }
    postMessage(data) {
      this.ready.then(() =>
        this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() { this.frame.remove(); }
  };
}

function load(page, address) {
  return new Promise((resolve, reject) => {
    const script = page.createElement("script");
    script.onload = resolve;
    script.onerror = reject;
    script.src = new URL(address, location.href).href;
    page.body.appendChild(script);
  });
}
