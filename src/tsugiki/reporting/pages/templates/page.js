// The page works without this; it only begins in the reader's language and remembers a choice in the address (#ja, #dark).
"use strict";
const choose = (id) => { const box = document.getElementById(id); if (box) { box.checked = true; } };
const words = location.hash.slice(1).split("+");
if (words.includes("ja") || words.includes("en")) {
  choose(words.includes("ja") ? "say-ja" : "say-en");
} else if (navigator.language) {
  choose(navigator.language.startsWith("ja") ? "say-ja" : "say-en");
}
for (const theme of ["light", "dark"]) { if (words.includes(theme)) { choose("theme-" + theme); } }
const tell = () => { document.documentElement.lang = document.getElementById("say-ja").checked ? "ja" : "en"; };
document.addEventListener("change", tell);
tell();
