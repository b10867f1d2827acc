// Photos from the camera: a class, held down, takes one picture after the other and gives each of them that class.
import { addPhotos } from "./adding.js";
import { attempt, element, fill, find, say, words } from "./ask.js";
import { closeCamera, openCamera, pictureOf } from "./camera.js";
import { decide, textOf } from "./labelling.js";
import { state } from "./store.js";

const dialog = find("taking"), video = find("taken-live");
let isTaking = false, count = 0;

// One at a time: a key that is held asks again and again.
async function take(number) {
  if (isTaking || !dialog.open) return;
  isTaking = true;
  await attempt(async () => {
    const picture = await pictureOf(video);
    const [row] = picture ? await addPhotos([picture]) : [];
    if (row === undefined) return;
    if (number >= 0) await decide([row], { label: state.several ? textOf([number]) : state.classes[number] });
    count += 1;
    find("taking-says").textContent = fill(words.taken, { count });
  });
  isTaking = false;
}

// A button that is pressed takes pictures until it is let go.
function taker(key, name, number) {
  const button = element("button", "quiet");
  button.type = "button";
  button.append(element("kbd", "", key), ` ${name}`);
  let held;
  const stop = () => clearInterval(held);
  button.addEventListener("pointerdown", () => { take(number); held = setInterval(() => take(number), 200); });
  button.addEventListener("mousedown", event => event.preventDefault());  // Space stays the key for a picture without a class
  for (const end of ["pointerup", "pointerleave", "pointercancel"]) button.addEventListener(end, stop);
  button.addEventListener("click", event => { if (event.detail === 0) take(number); });  // by the keyboard
  dialog.addEventListener("close", stop);
  return button;
}

async function open() {
  count = 0;
  find("taking-says").textContent = "";
  find("taking-classes").replaceChildren(...state.classes.map((name, number) => taker(number < 9 ? String(number + 1) : "", name, number)), taker("Space", words.without_class, -1));
  dialog.showModal();
  if (!await openCamera(video)) { dialog.close(); say(words.no_camera); }
  else if (!dialog.open) closeCamera(video);  // it was closed before a person allowed it
}

find("take").addEventListener("click", open);
dialog.addEventListener("close", () => closeCamera(video));
dialog.addEventListener("keydown", event => {
  const digit = /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
  if (event.ctrlKey || event.metaKey || event.altKey || (!digit && (event.key !== " " || event.target.closest("button")))) return;
  event.preventDefault();
  if (!digit || digit <= state.classes.length) take(digit - 1);
});
