// What is searched for reaches the theme's search as words that it knows: options without their hyphens, which mean "not" there; and
// Japanese in the words that its index is made of, cut by the same segmenter: nobody writes spaces between them.
{
  const QUERY = 2;
  const japanese = document.documentElement.lang === "ja";
  let segmenter; // is on its way: who types before it is there is answered once it is
  if (japanese) {
    window.lunr ??= {}; // where the segmenter puts itself
    const script = document.createElement("script");
    script.src = new URL("javascripts/lunr/tinyseg.js", document.currentScript.src);
    segmenter = new Promise((done) => {
      script.onload = script.onerror = done;
    });
    document.head.append(script);
  }
  const inWords = (text) => {
    const plain = text.replace(/(^|\s)-+/g, "$1");
    if (!japanese || !window.lunr.TinySegmenter) { return plain; }
    const words = new window.lunr.TinySegmenter();
    return plain.split(/\s+/).flatMap((word) => words.segment(word)).join(" ");
  };
  const send = window.Worker.prototype.postMessage;
  window.Worker.prototype.postMessage = function (message, ...rest) {
    const asked = message?.type === QUERY && typeof message.data === "string";
    const pass = () => send.call(this, asked ? { ...message, data: inWords(message.data) } : message, ...rest);
    if (asked && japanese && !window.lunr.TinySegmenter) { segmenter.then(pass); } else { pass(); }
  };
}
