// Learning: what the classifier is worth after every label, and what it proposes for the photos that have no class.
import { ask, attempt, change, element, fill, find, percent, words } from "./ask.js";
import { addKey } from "./keys.js";
import { decide, onwards, textOf } from "./labelling.js";
import { timeLeft } from "./progress.js";
import { arrange, changed, isOpen, meant, onChange, state } from "./store.js";

const WIDE = 260, HIGH = 110, LEFT = 30, BOTTOM = 18;
let shown = -1, asking = false;

const learn = () => attempt(async () => Object.assign(state, await change("/api/learn", { wanted: !state.learning?.wanted })) && tell());
find("learn").addEventListener("click", learn);
addKey("l", learn);
addKey("Enter", accept);

// Give the photos that are meant the classes that are proposed for them. Of several labels: what has some already is done with.
function accept() {
  const rows = meant().filter(row => (isOpen(row) ? state.proposals?.has(row) : state.several));
  if (!rows.length) return;
  const byClass = Map.groupBy(rows.filter(isOpen), row => nameOf(state.proposals.get(row)));
  for (const [name, some] of byClass) if (name !== undefined) decide(some, { label: name });
  onwards(rows);
}
const nameOf = one => (one.chances ? textOf(one.chances.map(([number]) => number).sort((a, b) => a - b)) : state.classes[one.label]);

function tellLearning(told) {
  const bar = find("learning-bar"), busy = Boolean(told.label) && told.wanted;
  bar.hidden = !busy || !told.total;
  bar.max = told.total ?? 1;
  bar.value = told.done;
  const left = told.seconds_left === null ? "" : timeLeft(told.seconds_left);
  find("learning-doing").textContent = told.problem || told.lacking || (busy ? [told.label, left].filter(Boolean).join(" · ") : "");
  find("learning-doing").classList.toggle("wrong", Boolean(told.problem));
}

function tell() {
  const told = state.learning;
  if (!told) return;
  find("learn").firstChild.textContent = told.wanted ? words.pause : words.learn;
  find("learn").setAttribute("aria-pressed", String(told.wanted));
  const known = told.accuracy !== undefined;
  find("accuracy").hidden = find("ends").hidden = !known;
  find("learning-none").hidden = known || told.photos !== undefined;
  find("accuracy").dataset.quick = String(Boolean(told.quick || told.behind));
  if (known) {
    find("accuracy").replaceChildren((100 * told.accuracy).toFixed(1), element("small", "", "%"));
    find("accuracy").dataset.learned = told.learned;
    for (const [name, share] of [["--low", told.low], ["--high", told.high], ["--at", told.accuracy]]) find("ends").style.setProperty(name, percent(share));
  }
  const says = known ? told.sentence : told.photos === undefined ? "" : words.no_accuracy;
  find("learning-says").textContent = [says, told.passed_over].filter(Boolean).join(" ");
  find("network").hidden = !told.network;
  find("network").querySelector("a").textContent = told.network;
  tellLearning(told);
  draw(told.curve);
  if (told.proposals !== shown) proposalsAgain();
}

// Newest wins: while an answer is on its way no other one is asked for.
async function proposalsAgain() {
  if (asking) return;
  asking = true;
  await attempt(async () => {
    const told = await ask("/api/proposals");
    shown = told.version;
    state.proposals = new Map(told.rows.map((row, at) => [row, { label: told.labels[at], probability: told.probabilities[at], known: told.known[at], chances: told.chances?.[at] }]));
    if (told.next.length || !told.rows.length) state.next = told.next;
    find("order").closest("label").hidden = !told.rows.length && state.order === "found";
    if (state.order === "found" || state.order === "next") changed("proposals");
    else arrange();
  });
  asking = false;
  if (state.learning?.proposals !== shown) setTimeout(proposalsAgain, 50);
}

function drawn(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

// Accuracy against the number of labels, with its interval.
function draw(curve) {
  const figure = find("curve");
  figure.hidden = curve.length < 2;
  if (figure.hidden) return;
  const first = curve[0].photos, last = curve[curve.length - 1].photos;
  const x = photos => LEFT + ((photos - first) / Math.max(1, last - first)) * (WIDE - LEFT - 8);
  const y = share => 6 + (1 - share) * (HIGH - BOTTOM - 6);
  const points = curve.map(one => `${x(one.photos)},${y(one.accuracy)}`);
  const band = [...curve.map(one => `${x(one.photos)},${y(one.high)}`), ...curve.map(one => `${x(one.photos)},${y(one.low)}`).reverse()];
  const grid = [0, 0.5, 1].flatMap(share => [
    drawn("line", { class: "grid", x1: LEFT, x2: WIDE, y1: y(share), y2: y(share) }),
    drawn("text", { x: LEFT - 5, y: y(share) + 4, "text-anchor": "end" }, `${100 * share}`),
  ]);
  const now = curve[curve.length - 1];
  figure.querySelector("g").replaceChildren(
    ...grid, drawn("polygon", { class: "band", points: band.join(" ") }), drawn("polyline", { class: "line", points: points.join(" ") }),
    drawn("circle", { class: "disc", cx: x(now.photos), cy: y(now.accuracy), r: 4 }),
    drawn("text", { x: LEFT, y: HIGH - 3 }, String(first)), drawn("text", { x: WIDE - 4, y: HIGH - 3, "text-anchor": "end" }, String(last)),
  );
  figure.querySelector("svg").setAttribute("aria-label", fill(words.curve, { photos: last, accuracy: percent(now.accuracy) }));
}

onChange(what => { if (what === "news") tell(); });
