// How long work goes: what is being done, how far it is, how much longer it takes.
import { element, fill, find, words } from "./ask.js";

export const timeLeft = seconds => (seconds < 90 ? fill(words.seconds_left, { count: Math.max(1, Math.round(seconds)) }) : fill(words.minutes_left, { count: Math.round(seconds / 60) }));

// What was said on the way, a line each: the newest stays in sight.
export function tellSaid(name, lines) {
  const list = find(`${name}-said`);
  if (list.children.length === lines.length && list.lastChild?.textContent === lines.at(-1)) return;
  list.replaceChildren(...lines.map(text => element("li", "", text)));
  list.scrollTop = list.scrollHeight;
}

// Of the room called `name`; `afterwards` is said where it is over and nothing went wrong.
export function tellProgress(name, told, afterwards) {
  const bar = find(`${name}-bar`), says = find(`${name}-says`);
  bar.hidden = !told.busy;
  if (told.total) { bar.max = told.total; bar.value = told.done; } else bar.removeAttribute("value");
  const left = told.seconds_left === null ? "" : timeLeft(told.seconds_left);
  says.textContent = told.busy ? [told.stopping ? words.stopping : told.label, left].filter(Boolean).join(" · ") : told.problem || afterwards;
  says.classList.toggle("wrong", Boolean(told.problem));
}
