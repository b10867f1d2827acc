// Pages that are read from a folder may start no worker, and the search is one. There a hidden frame runs the worker's script.
// The search asks whether its page has an `IFrameWorker`: then it waits for the scripts that it imports.
if (location.protocol === "file:") {
  window.IFrameWorker = class extends EventTarget {
    #inside;
    #waiting = [];

    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      document.body.append(frame);
      const inside = frame.contentWindow;
      const load = (address) => new Promise((done, failed) => {
        const script = inside.document.createElement("script");
        Object.assign(script, { src: address, onload: done, onerror: failed });
        inside.document.head.append(script);
      });
      inside.importScripts = (...addresses) => addresses.reduce((before, each) => before.then(() => load(each)), Promise.resolve());
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      load(new URL(url, document.baseURI).href).then(() => {
        this.#inside = inside;
        this.#waiting.splice(0).forEach((data) => this.postMessage(data));
      });
    }

    postMessage(data) {
      if (this.#inside) {
        this.#inside.dispatchEvent(new this.#inside.MessageEvent("message", { data }));
      } else {
        this.#waiting.push(data);
      }
    }
  };
  window.Worker = window.IFrameWorker;
}
