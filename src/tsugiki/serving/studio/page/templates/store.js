// What the page knows: photos by number, their classes, what is selected, and which of them are shown in which order.
import { ask } from "./ask.js";

export const state = {
  revision: 0, news: 0, several: false, names: [], labels: [], marks: new Map(), classes: [], splits: [], undo: false, redo: false,
  view: "all", order: "found", rows: [], at: new Map(), current: -1, anchor: -1, selected: new Set(),
  proposals: null, next: [], learning: null, leaving: null,
};

const listeners = [];
export const onChange = listener => listeners.push(listener);
export const changed = what => { for (const listener of listeners) listener(what); };

export async function load() {
  const told = await ask("/api/state");
  Object.assign(state, told, { marks: new Map(Object.entries(told.marks).map(([row, mark]) => [Number(row), mark])) });
  arrange();
  changed("news");
}

export const isOut = row => state.marks.get(row) === "left out";
export const isOpen = row => state.labels[row] === -1 && !isOut(row);

// The classes of a photo, by number: of one label per photo one at most; a photo that shows none of the classes has none.
export const classesOf = row => (state.labels[row] === -1 ? [] : [state.labels[row]].flat());

const VIEWS = { all: () => true, todo: isOpen, out: isOut };
const inView = () => VIEWS[state.view] ?? (row => classesOf(row).includes(state.classes.indexOf(state.view.slice(6))) && !isOut(row));

const doubt = row => { const one = state.proposals?.get(row); return one ? one.probability : 2; };
const ORDERS = {
  next: () => { const place = new Map(state.next.map((row, at) => [row, at])); return row => place.get(row) ?? Infinity; },
  doubt: () => doubt,
};

// Which photos are shown, in order; the current one stays the same photo where it can.
export function arrange() {
  const shown = inView(), key = ORDERS[state.order]?.();
  const rows = [];
  for (let row = 0; row < state.names.length; row += 1) if (shown(row)) rows.push(row);
  if (key) rows.sort((one, other) => (isOpen(other) - isOpen(one)) || (key(one) - key(other) || 0) || one - other);
  const place = Math.max(0, state.at.get(state.current) ?? 0);
  state.rows = rows;
  state.at = new Map(rows.map((row, at) => [row, at]));
  if (!state.at.has(state.current)) state.current = rows[Math.min(place, rows.length - 1)] ?? -1;
  for (const row of [...state.selected]) if (!state.at.has(row)) state.selected.delete(row);
  changed("view");
}

export function moveTo(at, { extend = false } = {}) {
  if (!state.rows.length) return;
  const place = Math.min(Math.max(at, 0), state.rows.length - 1);
  const before = state.current;
  state.current = state.rows[place];
  if (extend) {
    if (state.anchor < 0 || !state.at.has(state.anchor)) state.anchor = before;
    const ends = [state.at.get(state.anchor) ?? place, place].sort((one, other) => one - other);
    state.selected = new Set(state.rows.slice(ends[0], ends[1] + 1));
  } else {
    state.anchor = state.current;
    state.selected.clear();
  }
  changed("selection");
}

export function toggle(row) {
  if (!state.selected.delete(row)) state.selected.add(row);
  state.current = state.anchor = row;
  changed("selection");
}

export function select(rows) { state.selected = new Set(rows); changed("selection"); }

// What a decision is about: the selected photos, or the current one.
export const meant = () => (state.selected.size ? state.rows.filter(row => state.selected.has(row)) : state.current < 0 ? [] : [state.current]);

// After a decision: on to the next photo that has no class, in the order shown.
export function advance(after) {
  const start = state.at.get(after) ?? -1;
  for (let step = 1; step <= state.rows.length; step += 1) {
    const place = (start + step) % state.rows.length;
    if (isOpen(state.rows[place])) return moveTo(place);
  }
  return moveTo(start);
}
