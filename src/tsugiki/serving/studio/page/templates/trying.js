// Trying: a photo, or the camera with the person's consent; the answer, how sure it is, where it looked, what it is like.
import { attempt, change, element, fill, find, percent, words } from "./ask.js";
import { filesOf } from "./adding.js";
import { closeCamera, openCamera, pictureOf } from "./camera.js";
import { enlarge } from "./grid.js";
import { addKey } from "./keys.js";
import { onChange, state } from "./store.js";

const room = find("room-trying"), answer = find("answer"), video = find("live");
const EVERY = 500;

function picture(address, caption) {
  const figure = element("figure"), image = element("img");
  image.alt = "";
  image.src = address;
  figure.append(image, element("figcaption", "", caption));
  return figure;
}

function chances(told) {
  const list = element("dl", "chances");
  for (const one of told.top) {
    const bar = element("dd", "bar"), filled = element("i");
    filled.style.width = percent(one.probability);
    filled.dataset.tone = Math.max(0, state.classes.indexOf(one.label)) % 9;
    bar.append(filled);
    const chance = element("dd", "", percent(one.probability)), name = element("dt", "", one.label);
    if (one.threshold !== undefined) {
      chance.title = fill(words.from, { chance: percent(one.threshold) });
      chance.append(" ", element("small", "", chance.title));
      name.classList.toggle("shown", told.labels.includes(one.label));
      list.classList.add("with-thresholds");
    }
    list.append(name, bar, chance);
  }
  return list;
}

function nearest(near) {
  const part = element("div"), row = element("div", "near");
  part.append(element("h3", "", words.near), row);
  for (const one of near) {
    const open = element("button", "picture"), image = element("img"), name = element("span", "", `${one.label} ${one.similarity.toFixed(2)}`);
    open.type = "button";
    image.alt = "";
    image.src = `/api/photo/${one.row}/thumb`;
    open.append(image, name);
    open.addEventListener("click", () => enlarge(one.row));
    row.append(open);
  }
  return part;
}

function show(told) {
  const says = element("div", "says-it"), label = told.labels ? told.labels.join(", ") || words.none_of_them : told.label;
  says.append(element("p", told.known ? "answered" : "answered unsure", told.known ? label : fill(words.not_sure, { label })));
  if (!told.known) says.append(element("p", "soft", words.why_not_sure));
  says.append(chances(told));
  const parts = [says];
  if (told.frame) {
    const pair = element("div", "pair");
    pair.append(picture(told.frame, words.seen), ...(told.maps ?? [told]).map(one => picture(one.lit, fill(one.evidence ? words.evidence : words.no_evidence, one))));
    parts.push(pair, nearest(told.near));
  }
  answer.replaceChildren(...parts);
  answer.dataset.done = "yes";
}

async function tryIt(asked, address = "/api/try?reasons=1") {
  delete answer.dataset.done;
  if (!answer.children.length) answer.replaceChildren(element("p", "soft", words.asking));
  const told = await attempt(() => change(address, asked));
  if (told) show(told);
  else answer.replaceChildren();
}

find("try-file").addEventListener("change", event => {
  const file = event.target.files[0];
  event.target.value = "";
  if (file) { stop(); tryIt(file); }
});
addEventListener("drop", async event => {
  if (room.hidden) return;
  const [file] = await filesOf(event.dataTransfer);
  if (file) { stop(); tryIt(file); }
});
addEventListener("paste", event => {
  const file = event.clipboardData.files[0];
  if (!room.hidden && file) { stop(); tryIt(file); }
});
addKey("t", () => {
  if (state.current < 0 || find("room-photos").hidden) return;
  const row = state.current;
  location.hash = "#trying";
  tryIt({}, `/api/try?reasons=1&row=${row}`);
});

let isLive = false;
async function start() {
  if (!await openCamera(video)) {
    answer.replaceChildren(element("p", "soft", words.no_camera));
    return;
  }
  isLive = true;
  video.hidden = false;
  find("camera").textContent = words.camera_stop;
  look();
}

// One picture after the other: the next one only when the last is answered.
async function look() {
  const picture = isLive && await pictureOf(video);
  if (picture) {
    const told = await attempt(() => change("/api/try", picture));
    if (!told) stop();
    else if (isLive) show(told);
  }
  if (isLive) setTimeout(look, EVERY);
}

function stop() {
  if (!isLive) return;
  isLive = false;
  closeCamera(video);
  video.hidden = true;
  find("camera").textContent = words.camera;
}
find("camera").addEventListener("click", () => (isLive ? stop() : start()));
onChange(what => { if (what.startsWith("room:") && what !== "room:trying") stop(); });
