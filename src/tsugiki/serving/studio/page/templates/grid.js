// The photos: only those in sight are elements of the page, so that 50,000 are as smooth as fifty.
import { element, fill, find, percent, words } from "./ask.js";
import { classesOf, isOpen, isOut, moveTo, onChange, state, toggle } from "./store.js";

const grid = find("grid"), space = find("space");
const GAP = 8, SMALLEST = 132, SMALL_SCREEN = 100, BEYOND = 2;
const cells = new Map(), free = [];
let columns = 1, side = SMALLEST, waiting = 0, fast = 0, lastTop = 0;

function measure() {
  const width = grid.clientWidth - 2 * GAP, least = width < 480 ? SMALL_SCREEN : SMALLEST;
  columns = Math.max(2, Math.floor((width + GAP) / (least + GAP)));
  side = Math.floor((width + GAP) / columns) - GAP;
}

export const columnCount = () => columns;
export const rowsInSight = () => Math.max(1, Math.floor(grid.clientHeight / (side + GAP)));

function made() {
  const cell = element("div", "cell");
  cell.setAttribute("role", "option");
  const picture = element("img");
  picture.alt = "";
  picture.draggable = false;
  picture.addEventListener("load", () => cell.classList.add("seen"));
  picture.addEventListener("error", () => cell.classList.add("gone"));
  cell.append(picture, element("span", "tag"), element("span", "tick", "✓"));
  return cell;
}

function tagOf(row) {
  const label = state.labels[row];
  if (isOut(row)) return { text: words.left_out, kind: "tag out", tone: "" };
  if (label >= 0) return { text: state.classes[label], kind: "tag", tone: label % 9 };
  const one = state.proposals?.get(row);
  if (!one) return { text: "", kind: "tag none", tone: "" };
  const name = state.classes[one.label] ?? "";
  return { text: one.known ? name : fill(words.not_sure, { label: name }), kind: "tag proposed", tone: one.label % 9, chance: percent(one.probability) };
}

// The same where a photo may have several labels.
function tagsOf(row) {
  if (isOut(row)) return [tagOf(row)];
  const proposed = isOpen(row) ? state.proposals?.get(row) : undefined;
  if (!proposed) {
    const shown = classesOf(row).map(number => ({ text: state.classes[number], kind: "tag", tone: number % 9 }));
    return shown.length || isOpen(row) ? shown : [{ text: words.none_of_them, kind: "tag nothing", tone: "" }];
  }
  const shown = proposed.chances.map(([number, chance]) => ({ text: state.classes[number], kind: "tag proposed", tone: number % 9, chance: percent(chance) }));
  const said = shown.length ? shown : [{ text: words.none_of_them, kind: "tag proposed nothing", tone: "" }];
  return proposed.known ? said : [{ text: fill(words.not_sure, { label: said.map(one => one.text).join(", ") }), kind: "tag proposed", tone: "" }];
}

function dress(tag, { text, kind, tone, chance }) {
  tag.className = kind;
  tag.dataset.tone = tone;
  tag.textContent = text;
  if (chance) tag.append(" ", element("b", "", chance));
  return tag;
}

function paint(cell, row, place) {
  const tag = cell.children[1];
  if (state.several) {
    tag.className = "tags";
    tag.replaceChildren(...tagsOf(row).flatMap(one => [dress(element("span"), one), " "]));
  } else dress(tag, tagOf(row));
  cell.id = `photo-${row}`;
  cell.setAttribute("aria-selected", String(state.selected.has(row)));
  cell.setAttribute("aria-posinset", String(place + 1));
  cell.setAttribute("aria-setsize", String(state.rows.length));
  cell.setAttribute("aria-label", fill(words.photo, { name: state.names[row], label: tag.textContent.trim() || words.unlabelled }));
  cell.classList.toggle("current", row === state.current);
  cell.classList.toggle("is-out", isOut(row));
}

function put(cell, row, place) {
  const x = GAP + (place % columns) * (side + GAP), y = GAP + Math.floor(place / columns) * (side + GAP);
  cell.style.transform = `translate(${x}px, ${y}px)`;
  cell.style.width = cell.style.height = `${side}px`;
  paint(cell, row, place);
}

function show(cell, row) {
  const address = `/api/photo/${row}/thumb`;
  if (cell.dataset.address === address) return;
  cell.dataset.address = address;
  cell.classList.remove("seen", "gone");
  cell.firstChild.src = address;
}

// While somebody flies past, pictures of what is only passed by are not asked for.
const settled = () => { fast = 0; for (const [row, cell] of cells) show(cell, row); };

function render() {
  waiting = 0;
  find("empty").hidden = state.names.length > 0;
  grid.hidden = state.names.length === 0;
  if (!grid.clientWidth) return;  // another room is open
  measure();
  const count = state.rows.length, step = side + GAP;
  space.style.height = `${Math.ceil(count / columns) * step + GAP}px`;
  const top = grid.scrollTop, first = Math.max(0, Math.floor(top / step) - BEYOND) * columns;
  const end = Math.min(count, (Math.ceil((top + grid.clientHeight) / step) + BEYOND) * columns);
  const wanted = new Set(state.rows.slice(first, end));
  for (const [row, cell] of cells) if (!wanted.has(row)) { cells.delete(row); free.push(cell); cell.hidden = true; }
  const flying = Math.abs(top - lastTop) > 2 * grid.clientHeight;
  lastTop = top;
  for (let place = first; place < end; place += 1) {
    const row = state.rows[place];
    let cell = cells.get(row);
    if (!cell) {
      cell = free.pop() ?? space.appendChild(made());
      cell.hidden = false;
      cells.set(row, cell);
      cell.dataset.row = row;
    }
    put(cell, row, place);
    if (!flying && !fast) show(cell, row);
  }
  if (flying || fast) { clearTimeout(fast); fast = setTimeout(settled, 90); }
  if (state.current >= 0 && cells.has(state.current)) grid.setAttribute("aria-activedescendant", `photo-${state.current}`);
  else grid.removeAttribute("aria-activedescendant");
}

const renderSoon = () => { if (!waiting) waiting = requestAnimationFrame(render); };

function keepInSight() {
  const place = state.at.get(state.current);
  if (place === undefined || !grid.clientWidth) return;
  measure();
  const y = GAP + Math.floor(place / columns) * (side + GAP);
  if (y < grid.scrollTop) grid.scrollTop = y - GAP;
  else if (y + side + GAP > grid.scrollTop + grid.clientHeight) grid.scrollTop = y + side + GAP - grid.clientHeight;
}

const rowOf = event => { const cell = event.target.closest(".cell"); return cell ? Number(cell.dataset.row) : -1; };

grid.addEventListener("scroll", renderSoon, { passive: true });
grid.addEventListener("click", event => {
  const row = rowOf(event);
  if (row < 0) return;
  grid.focus({ preventScroll: true });
  const touched = event.pointerType === "touch" || event.target.closest(".tick");
  if (event.ctrlKey || event.metaKey || touched) toggle(row);
  else moveTo(state.at.get(row), { extend: event.shiftKey });
});
grid.addEventListener("dblclick", event => { if (rowOf(event) >= 0) enlarge(rowOf(event)); });
new ResizeObserver(renderSoon).observe(grid);
onChange(what => { if (what === "selection") keepInSight(); renderSoon(); });

export function enlarge(row) {
  const dialog = find("large"), tags = state.several ? tagsOf(row) : [tagOf(row)];
  dialog.querySelector("img").src = `/api/photo/${row}/large`;
  const label = tags.map(({ text, chance }) => (chance ? fill(words.proposed, { label: text, chance }) : text)).join(" · ") || words.unlabelled;
  dialog.querySelector(".caption").textContent = fill(words.photo, { name: state.names[row], label });
  if (!dialog.open) dialog.showModal();
}
