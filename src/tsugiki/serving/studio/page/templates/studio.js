// The studio begins here: rooms, and the first look at what is there.
import "./leaving.js";
import "./trying.js";
import { attempt, find } from "./ask.js";
import "./adding.js";
import "./taking.js";
import "./choosing.js";
import "./cleaning.js";
import "./grid.js";
import "./keys.js";
import "./labelling.js";
import "./learning.js";
import { listen } from "./news.js";
import { changed, load, moveTo } from "./store.js";

const rooms = [...document.querySelectorAll(".room")].map(room => room.id.slice(5));

function enter() {
  const asked = location.hash.slice(1), room = rooms.includes(asked) ? asked : rooms[0];
  for (const name of rooms) find(`room-${name}`).hidden = name !== room;
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.hash === `#${room}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  changed(`room:${room}`);
}
addEventListener("hashchange", enter);
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
}

await attempt(load);
enter();
moveTo(0);
find("grid").focus({ preventScroll: true });
listen();
document.documentElement.dataset.ready = "yes";
