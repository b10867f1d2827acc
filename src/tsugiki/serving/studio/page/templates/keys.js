// The keyboard alone is enough. Letters count only where nothing is typed.
import { element, find, words } from "./ask.js";
import { columnCount, enlarge, rowsInSight } from "./grid.js";
import { giveClass, leaveOut, redo, takeClass, undo } from "./labelling.js";
import { moveTo, select, state, toggle } from "./store.js";

const grid = find("grid");
const place = () => state.at.get(state.current) ?? 0;
const MOVES = {
  ArrowLeft: () => place() - 1, ArrowRight: () => place() + 1, ArrowUp: () => place() - columnCount(),
  ArrowDown: () => place() + columnCount(), Home: () => 0, End: () => state.rows.length - 1,
  PageUp: () => place() - columnCount() * rowsInSight(), PageDown: () => place() + columnCount() * rowsInSight(),
};
const KEYS = {
  " ": () => state.current >= 0 && toggle(state.current),
  Escape: () => select([]),
  0: takeClass, x: leaveOut, Delete: leaveOut,
  o: () => state.current >= 0 && enlarge(state.current),
  c: () => find("class-name").focus(),
  "?": () => find("keys-told").showModal(),
};
export const addKey = (key, what) => { KEYS[key] = what; };

const isTyping = target => target.closest("input:not([type=radio]), select, textarea, dialog[open]");
const ownKeys = target => target.closest("button, a, input, summary, video");

function withControl(event) {
  const key = event.key.toLowerCase();
  if (key === "z") { event.preventDefault(); if (event.shiftKey) redo(); else undo(); }
  if (key === "y") { event.preventDefault(); redo(); }
  if (key === "a" && inPhotos()) { event.preventDefault(); select(state.rows); }
}
const inPhotos = () => !find("room-photos").hidden;

addEventListener("keydown", event => {
  if (event.defaultPrevented || event.altKey || isTyping(event.target)) return;
  if (event.ctrlKey || event.metaKey) { withControl(event); return; }
  if (ownKeys(event.target) && (event.key === " " || event.key === "Enter" || event.key.startsWith("Arrow"))) return;
  if (inPhotos() && event.key in MOVES) {
    event.preventDefault();
    grid.focus({ preventScroll: true });
    moveTo(MOVES[event.key](), { extend: event.shiftKey });
    return;
  }
  const digit = inPhotos() && /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
  const what = digit ? () => giveClass(digit - 1) : KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!what || (!inPhotos() && !"l?".includes(event.key.toLowerCase()))) return;
  event.preventDefault();
  what();
});

// An enlarged photo is labelled as any other, and the next one is shown.
find("large").addEventListener("keydown", event => {
  const digit = /^[0-9]$/.test(event.key);
  if (event.ctrlKey || event.metaKey || event.altKey || !inPhotos() || (!digit && !["ArrowLeft", "ArrowRight"].includes(event.key))) return;
  event.preventDefault();
  if (!digit) moveTo(MOVES[event.key]());
  else if (event.key === "0") takeClass();
  else giveClass(Number(event.key) - 1);
  enlarge(state.current);
});
find("class-name").addEventListener("keydown", event => { if (event.key === "Escape") grid.focus(); });
find("show-keys").addEventListener("click", () => find("keys-told").showModal());
find("keys-told").querySelector("dl").append(...words.keys.flatMap(([key, what]) => [element("dt", "", key), element("dd", "", what)]));
