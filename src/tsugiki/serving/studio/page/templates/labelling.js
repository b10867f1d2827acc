// Classes and decisions: every one is on the disk before the page goes on as if it were.
import { attempt, change, element, fill, find, say, words } from "./ask.js";
import { advance, arrange, changed, classesOf, isOpen, isOut, load, meant, moveTo, onChange, state } from "./store.js";

// What the studio has decided now. Another window may have changed more: then everything is asked for anew.
function take(told) {
  if (told.everything || told.revision !== state.revision + (told.changed.length || told.classes ? 1 : 0)) {
    if (told.everything || told.revision > state.revision + 1) return load();
  }
  Object.assign(state, { revision: told.revision, classes: told.classes, undo: told.undo, redo: told.redo });
  for (const [row, label, mark] of told.changed) set(row, label, mark);
  changed("labels");
  return undefined;
}

function set(row, label, mark) {
  state.labels[row] = label;
  if (mark) state.marks.set(row, mark);
  else state.marks.delete(row);
}

// One after the other, in the order in which they were made.
let before = Promise.resolve();
export const pending = () => before;
function inTurn(what) {
  document.documentElement.dataset.saving = "yes";
  const turn = before.then(() => attempt(what)).finally(() => { if (before === turn) delete document.documentElement.dataset.saving; });
  before = turn;
  return turn;
}

const numbersOf = label => {
  if (!state.several || !label) return state.classes.indexOf(label);
  return label === "|" ? [] : label.split("|").map(name => state.classes.indexOf(name));
};

// Several labels as the table of decisions has them.
export const textOf = numbers => numbers.map(number => state.classes[number]).join("|") || "|";

// What photos show once a class is given to all of them, or taken away where all of them show it: as the studio decides it.
function flips(rows, number) {
  const away = rows.every(row => classesOf(row).includes(number));
  return row => {
    const left = [...classesOf(row).filter(one => one !== number), ...(away ? [] : [number])];
    return left.length ? left.sort((one, other) => one - other) : -1;
  };
}

export function decide(rows, decision) {
  if (!rows.length) return before;
  const last = rows[rows.length - 1];
  const label = decision.label === undefined ? undefined : numbersOf(decision.label);
  const flipped = decision.toggle === undefined ? undefined : flips(rows, state.classes.indexOf(decision.toggle));
  for (const row of rows) set(row, flipped?.(row) ?? label ?? state.labels[row], decision.mark ?? (decision.label || decision.toggle ? "" : state.marks.get(row)));
  changed("labels");
  return inTurn(async () => {
    try {
      await take(await change("/api/decide", { rows, ...decision }));
      changed("saved");
    } catch (fault) {
      await load();
      throw fault;
    }
  });
}

export function giveClass(number) {
  const rows = meant(), name = state.classes[number];
  if (name === undefined || !rows.length) return;
  if (state.several) { decide(rows, { toggle: name }); return; }
  decide(rows, { label: name });
  if (rows.length > 1) say(fill(words.labelled, { count: rows.length, label: name }));
  onwards(rows);
}

// Several labels: "none of the classes" is an answer, and the same key takes it back.
function noneOfThem(rows) {
  if (!rows.length) return;
  const back = rows.every(row => !isOpen(row) && !classesOf(row).length);
  decide(rows, { label: back ? "" : "|" });
  if (!back) onwards(rows);
}

export function takeClass() {
  const rows = meant();
  if (state.several) { noneOfThem(rows); return; }
  if (rows.some(row => state.labels[row] >= 0)) decide(rows, { label: "" });
  if (rows.length === 1) moveTo((state.at.get(rows[0]) ?? 0) + 1);
}

export function leaveOut() {
  const rows = meant();
  if (!rows.length) return;
  const back = rows.every(isOut);
  decide(rows, { mark: back ? "" : "left out" });
  if (!back) onwards(rows);
}

export function onwards(rows) {
  state.selected.clear();
  const last = rows[rows.length - 1];
  if (state.view !== "all") arrange();
  advance(last);
}

const step = (address, text) => inTurn(async () => {
  const told = await change(address);
  await take(told);
  if (told.changed.length) moveTo(state.at.get(told.changed[0][0]) ?? 0);
  arrange();
  changed("saved");
  say(text);
});
export const undo = () => step("/api/undo", words.undone);
export const redo = () => step("/api/redo", words.redone);

const addClass = name => inTurn(async () => {
  const known = state.classes.find(one => one.toLowerCase() === name.trim().toLowerCase());
  if (known === undefined) await take(await change("/api/classes", { add: name }));
  return known ?? state.classes[state.classes.length - 1];
});

function chip(name, number, count) {
  const item = element("li"), button = element("button", "chip"), more = element("button", "more-of", "⋯");
  button.type = more.type = "button";
  if (number < 9) button.append(element("kbd", "", String(number + 1)));
  const dot = element("i", "dot");
  dot.dataset.tone = number % 9;
  button.append(dot, element("span", "", name), element("b", "", String(count)));
  button.addEventListener("click", () => { giveClass(number); find("grid").focus({ preventScroll: true }); });
  more.setAttribute("aria-label", fill(words.change_class, { name }));
  more.addEventListener("click", () => openClass(name));
  item.append(button, more);
  return item;
}

let opened = "";
function openClass(name) {
  opened = name;
  find("class-title").textContent = name;
  find("class-new-name").value = name;
  find("class-changed").showModal();
  find("class-new-name").select();
}
const changeClass = asked => inTurn(async () => { await take(await change("/api/classes", asked)); find("class-changed").close(); arrange(); });
find("class-changed").querySelector("form").addEventListener("submit", event => {
  event.preventDefault();
  changeClass({ rename: opened, to: find("class-new-name").value });
});
find("remove-class").addEventListener("click", () => changeClass({ remove: opened }));

find("new-class").addEventListener("submit", async event => {
  event.preventDefault();
  const name = find("class-name").value;
  if (!name.trim()) return;
  const added = await addClass(name);
  if (added === undefined) return;
  find("class-name").value = "";
  if (state.selected.size) giveClass(state.classes.indexOf(added));
});

function showViews() {
  const select = find("view"), fixed = [...select.options].slice(0, 3);
  const options = state.classes.map(name => { const one = element("option", "", name); one.value = `class:${name}`; return one; });
  select.replaceChildren(...fixed, ...options);
  select.value = state.view;
  if (!select.value) { state.view = select.value = "all"; arrange(); }
}
find("view").addEventListener("change", event => { state.view = event.target.value; arrange(); });
find("order").addEventListener("change", event => { state.order = event.target.value; arrange(); });
find("undo").addEventListener("click", undo);
find("redo").addEventListener("click", redo);
find("leave-out").addEventListener("click", leaveOut);

let classesShown = "";
onChange(what => {
  if (!["labels", "view", "saved"].includes(what)) return;
  const counts = new Array(state.classes.length).fill(0);
  for (let row = 0; row < state.labels.length; row += 1) if (!isOut(row)) for (const number of classesOf(row)) counts[number] += 1;
  const labelled = state.labels.reduce((sum, label, row) => sum + (label !== -1 && !isOut(row)), 0);
  find("classes").replaceChildren(...state.classes.map((name, number) => chip(name, number, counts[number])));
  find("count").textContent = !state.names.length ? "" : fill(words.count, { labelled, count: state.names.length });
  find("undo").disabled = !state.undo;
  find("redo").disabled = !state.redo;
  if (classesShown !== JSON.stringify(state.classes)) { classesShown = JSON.stringify(state.classes); showViews(); }
});
onChange(what => {
  if (what === "selection" && state.selected.size > 1) say(fill(words.selected, { count: state.selected.size }));
});
