// The page works without this. It begins in the reader's language, remembers what is chosen, enlarges, sorts and filters photos.
"use strict";
const root = document.documentElement;
const all = (what, where = document) => [...where.querySelectorAll(what)];
const ja = () => document.getElementById("say-ja").checked;

// What was chosen: in the address (#ja, #dark), else the last time in this browser, else as the browser is set.
const KEY = "tsugiki-page";
const remembered = () => {
  try { return String(localStorage.getItem(KEY) || "").split("+"); } catch { return []; } // a private window, or a frame
};
const remember = () => {
  const chosen = all("header.top input:checked").map((box) => box.id.split("-")[1]);
  try { localStorage.setItem(KEY, chosen.join("+")); } catch { /* then not */ }
};
const choose = (ids, words) => {
  const id = ids.find((one) => words.includes(one.split("-")[1]));
  if (id) { document.getElementById(id).checked = true; }
  return Boolean(id);
};
const address = location.hash.slice(1).split("+");
const browser = [(navigator.language || "").startsWith("ja") ? "ja" : navigator.language ? "en" : ""];
[address, remembered(), browser].some((words) => choose(["say-en", "say-ja"], words));
[address, remembered()].some((words) => choose(["theme-light", "theme-dark"], words));

// Texts that stand in attributes are there in both languages.
const NAMES = ["alt", "aria-label", "placeholder", "data-text"];
const tell = () => {
  const language = ja() ? "ja" : "en";
  root.lang = language;
  for (const name of NAMES) {
    for (const one of all(`[data-${name}-${language}]`)) { one.setAttribute(name, one.getAttribute(`data-${name}-${language}`)); }
  }
  for (const one of all("option[data-text]")) { one.textContent = one.getAttribute("data-text"); }
  for (const update of updates) { update(); }
};
const updates = [];

// A link into a part that is closed opens it.
const open = () => {
  let target = null;
  try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { /* no address of ours */ }
  const part = target && target.querySelector("details");
  if (part) { part.open = true; target.scrollIntoView(); }
};

// Photos: sorted, filtered, and not all at once.
const FIRST = 24;
const MORE = 240;
const FEW = 6;
const filled = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const { compare } = new Intl.Collator(undefined, { numeric: true });
const found = new WeakMap(); // what a list holds, in its order: shown or not
const serve = (gallery) => {
  const list = gallery.querySelector(".photos");
  const photos = [...list.children];
  const [tools, search, label, order, status, more] =
    [".tools", "[type=search]", ".label", ".order", "[role=status]", ".more"].map((what) => gallery.querySelector(what));
  const labels = [...new Set(photos.map((photo) => photo.dataset.label))].sort(compare);
  for (const name of labels) { label.add(new Option(name, "=" + name)); }
  label.hidden = labels.length < 2;
  let most = Number(gallery.dataset.first) || FIRST;
  const update = () => {
    const wanted = search.value.trim().toLowerCase();
    const row = photos.filter(({ dataset }) =>
      (!label.value || "=" + dataset.label === label.value)
      && [dataset.name, dataset.label, dataset.said || ""].some((text) => text.toLowerCase().includes(wanted)));
    const key = order.value;
    if (key) { row.sort((a, b) => compare(a.dataset[key] || "", b.dataset[key] || "")); }
    found.set(list, row);
    const shown = row.slice(0, most);
    const visible = new Set(shown);
    for (const photo of photos) { if (photo.hidden === visible.has(photo)) { photo.hidden = !photo.hidden; } }
    list.prepend(...shown.slice(0, MORE)); // as many as a call takes; the rest one by one
    for (let place = MORE; place < shown.length; place += 1) { shown[place - 1].after(shown[place]); }
    status.textContent = filled(status.getAttribute("data-text"), { shown: shown.length, count: photos.length });
    more.textContent = filled(more.getAttribute("data-text"), { count: Math.min(row.length - shown.length, MORE) });
    more.hidden = shown.length === row.length;
  };
  for (const one of [search, label, order]) { one.addEventListener("input", update); }
  more.addEventListener("click", () => {
    const [first] = found.get(list).slice(most).flatMap((photo) => all(".enlarge", photo));
    most += MORE;
    update();
    if (first) { first.focus(); }
  });
  tools.hidden = photos.length <= FEW;
  updates.push(update);
};

// The enlarged photo: a dialog of its own, used by keyboard as by mouse.
const enlarge = (dialog) => {
  const words = dialog.querySelector("figcaption");
  const picture = document.createElement("img");
  let [row, at] = [[], 0];
  const show = (place) => {
    at = (place + row.length) % row.length;
    const photo = row[at].querySelector("img");
    picture.src = photo.src;
    picture.alt = photo.alt;
    const name = row[at].parentElement.querySelector(".name").textContent;
    const lines = [photo.alt, name, `${at + 1} / ${row.length}`];
    words.before(picture);
    words.replaceChildren(...lines.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
  };
  const step = (by) => () => show(at + by);
  const keys = { ArrowRight: step(1), ArrowLeft: step(-1), Home: () => show(0), End: () => show(-1) };
  dialog.addEventListener("keydown", (event) => {
    if (keys[event.key]) { keys[event.key](); event.preventDefault(); }
    if (event.key === "Tab") { // the browser would go on to its own bars
      const buttons = all("button", dialog);
      const next = buttons.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
      buttons[(next + buttons.length) % buttons.length].focus();
      event.preventDefault();
    }
  });
  dialog.querySelector(".next").addEventListener("click", step(1));
  dialog.querySelector(".previous").addEventListener("click", step(-1));
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) { dialog.close(); } });
  dialog.addEventListener("close", () => {
    const more = row[at].closest(".gallery").querySelector(".more");
    while (row[at].closest("li").hidden && !more.hidden) { more.click(); }
    row[at].focus();
  });
  for (const photo of all(".photos img")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "enlarge" });
    photo.replaceWith(button);
    button.append(photo);
    button.addEventListener("click", () => {
      row = found.get(button.closest(".photos")).flatMap((one) => all(".enlarge", one));
      show(row.indexOf(button));
      for (const one of all(".previous, .next", dialog)) { one.hidden = row.length < 2; }
      dialog.showModal();
    });
  }
};

tell();
document.addEventListener("DOMContentLoaded", () => {
  enlarge(document.getElementById("enlarged"));
  all(".gallery").forEach(serve);
  tell();
  document.querySelector("header.top").addEventListener("change", () => { tell(); remember(); });
  addEventListener("hashchange", open);
  for (const link of all('a[href^="#"]')) { link.addEventListener("click", () => setTimeout(open)); }
  open();
});
