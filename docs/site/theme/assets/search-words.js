// What is searched for reaches the theme's search as words that it knows: options without their hyphens, which mean "not" there; and
// Japanese in the words that its index is made of, cut by the same segmenter: nobody writes spaces between them.
{
  const QUERY = 2;
  const japanese = document.documentElement.lang === "ja";
  if (japanese) {
    window.lunr ??= {}; // where the segmenter puts itself
    const script = document.createElement("script");
    script.src = new URL("javascripts/lunr/tinyseg.js", document.currentScript.src);
    document.head.append(script);
  }
  const inWords = (text) => {
    const plain = text.replace(/(^|\s)-+/g, "$1");
    if (!japanese || !window.lunr.TinySegmenter) { return plain; }
    const segmenter = new window.lunr.TinySegmenter();
    return plain.split(/\s+/).flatMap((word) => segmenter.segment(word)).join(" ");
  };
  const send = window.Worker.prototype.postMessage;
  window.Worker.prototype.postMessage = function (message, ...rest) {
    const asked = message?.type === QUERY && typeof message.data === "string";
    return send.call(this, asked ? { ...message, data: inWords(message.data) } : message, ...rest);
  };
}
