// Cleaning: what looks wrong, one card each, and one key for what is decided about it.
import { ask, attempt, element, fill, find, words } from "./ask.js";
import { enlarge } from "./grid.js";
import { decide, textOf } from "./labelling.js";
import { classesOf, isOpen, onChange, state } from "./store.js";

const KINDS = ["suspects", "leaks", "copies", "odd"];
let asking = false, seen = -1;

const joined = (row, mark) => (state.marks.get(row) === (mark === "kept" ? "right" : "kept") ? "right, kept" : mark);
const keep = rows => { for (const row of rows) decide([row], { mark: joined(row, "kept") }); };

// Several labels: the one that is doubted is taken away, or given as well; the others stay as they are by now.
function change(one) {
  const number = state.classes.indexOf(one.label), others = classesOf(one.rows[0]).filter(other => other !== number);
  if (number >= 0) decide(one.rows, { label: textOf(one.present ? others : [...others, number]) });
}

// What can be decided about a card: its key, its words, and what it does.
const CHOICES = {
  suspects: one => [
    one.present === undefined
      ? ["R", fill(words.relabel, one), () => decide(one.rows, { label: one.suggested })]
      : ["R", fill(one.present ? words.shows_not : words.shows, one), () => change(one)],
    ["K", words.is_right, () => decide(one.rows, { mark: joined(one.rows[0], "right") })],
    ["X", words.leave_out, () => decide(one.rows, { mark: "left out" })],
  ],
  leaks: one => [["X", words.leave_second, () => decide([one.rows[1]], { mark: "left out" })], ["K", words.keep_both, () => keep(one.rows)]],
  copies: one => CHOICES.leaks(one),
  odd: one => [["K", words.keep, () => keep(one.rows)], ["X", words.leave_out, () => decide(one.rows, { mark: "left out" })]],
};

const className = row => classesOf(row).map(number => state.classes[number]).join(", ") || (isOpen(row) || !state.several ? words.unlabelled : words.none_of_them);

function told(kind, one) {
  if (kind === "suspects") return fill(one.present === undefined ? words.looks_like : one.present ? words.looks_without : words.looks_with, one);
  if (kind === "odd") return fill(words.is_odd, { label: className(one.rows[0]) });
  return `${one.exact ? words.exact_copy : words.near_copy}: ${one.rows.map(className).join(" / ")}`;
}

function card(kind, one) {
  const item = element("article", "doubt"), pictures = element("div", "pictures"), choices = element("div", "choices");
  item.tabIndex = 0;
  item.dataset.kind = kind;
  item.append(pictures, element("p", "about", told(kind, one)), element("p", "name", one.rows.map(row => state.names[row]).join(" · ")), choices);
  item.setAttribute("aria-label", `${told(kind, one)}. ${one.rows.map(row => state.names[row]).join(", ")}`);
  for (const row of one.rows) {
    const open = element("button", "picture"), picture = element("img");
    open.type = "button";
    open.setAttribute("aria-label", fill(words.photo, { name: state.names[row], label: className(row) }));
    picture.alt = "";
    picture.loading = "lazy";
    picture.src = `/api/photo/${row}/thumb`;
    open.append(picture);
    open.addEventListener("click", () => enlarge(row));
    pictures.append(open);
  }
  const act = (text, what) => {
    if (item.classList.contains("done")) return;
    what();
    item.classList.add("done");
    item.querySelector(".about").textContent = fill(words.decided, { what: text });
    for (const button of choices.children) button.disabled = true;
    count();
    onwards(item);
  };
  item.give = name => act(fill(words.relabel, { suggested: name }), () => decide(one.rows, { label: name }));
  for (const [key, text, what] of CHOICES[kind](one)) {
    const button = element("button", "quiet");
    button.type = "button";
    button.append(element("kbd", "", key), ` ${text}`);
    button.addEventListener("click", () => act(text, what));
    button.dataset.key = key.toLowerCase();
    choices.append(button);
  }
  return item;
}

const cards = () => [...document.querySelectorAll("#doubts article")];
const isMeant = () => cards().some(one => one.contains(document.activeElement));

function onwards(item) {
  const all = cards(), left = [...all.slice(all.indexOf(item) + 1), ...all].find(one => !one.classList.contains("done"));
  if (left) left.focus();
  else { find("cleaning-says").textContent = words.all_decided; find("look-again").focus(); }
}

function count() {
  const left = cards().filter(one => !one.classList.contains("done")).length;
  find("doubt-count").textContent = left;
  find("doubt-count").hidden = !left;
}

async function look() {
  if (asking) return;
  asking = true;
  await attempt(async () => {
    const found = await ask("/api/cleaning");
    if (isMeant()) { seen = -1; return; }  // a key that is pressed now is about the card that somebody sees
    const parts = KINDS.filter(kind => found.kinds[kind]?.length).map(kind => {
      const part = element("div", "part");
      part.append(element("h3", "", `${words[kind]} (${found.kinds[kind].length})`), element("div", "cards"));
      part.lastChild.append(...found.kinds[kind].map(one => card(kind, one)));
      return part;
    });
    find("doubts").replaceChildren(...parts);
    find("cleaning-says").textContent = found.says || (parts.length ? "" : words.nothing_wrong);
    count();
    if (!find("room-cleaning").hidden) cards()[0]?.focus();
  });
  asking = false;
}

find("room-cleaning").addEventListener("keydown", event => {
  const item = event.target.closest("article"), all = cards();
  if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const button = item.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  const name = !state.several && item.dataset.kind === "suspects" && /^[1-9]$/.test(event.key) ? state.classes[Number(event.key) - 1] : undefined;
  if (step) all[all.indexOf(item) + step]?.focus();
  else if (name !== undefined) item.give(name);
  else if (button) button.click();
  else return;
  event.preventDefault();
});
find("look-again").addEventListener("click", look);

// Again when somebody comes in, and when what was learned is new and nothing is decided halfway.
onChange(what => {
  if (what === "room:cleaning") look();
  const now = state.learning?.proposals ?? -1;
  if (what === "news" && now !== seen && !state.learning.quick && !state.learning.behind && !isMeant() && !cards().some(one => one.classList.contains("done"))) {
    seen = now;
    if (!find("room-cleaning").hidden || state.learning.accuracy !== undefined) look();
  }
});
