// Choosing: which pretrained network looks at the photos, by what each of them is worth for these.
import { attempt, change, element, fill, find, say, words } from "./ask.js";
import { tellProgress, tellSaid } from "./progress.js";
import { changed, onChange, state } from "./store.js";

const choose = asked => attempt(async () => { Object.assign(state, await change("/api/networks", asked)); changed("news"); });

function row(one) {
  const line = element("tr"), [group, name, ...others] = one.cells, title = element("th", "", name), use = element("td");
  title.scope = "row";
  line.className = one.best ? "best" : "";
  if (one.best) title.append(" ", element("span", "mark", words.recommended));
  if (one.used) use.append(element("span", "soft", words.in_use));
  else {
    const button = element("button", "quiet", words.use);
    button.type = "button";
    button.setAttribute("aria-label", fill(words.use_network, { name: one.name }));
    button.addEventListener("click", async () => { if (await choose({ use: one.name }) !== undefined) say(fill(words.uses, { name: one.name })); });
    use.append(button);
  }
  line.append(element("td", "", group), title, use, ...others.map(text => element("td", "", text)));
  return line;
}

function show(found) {
  find("compared").hidden = !found;
  if (!found) return;
  const [group, name, ...others] = found.titles, heads = [group, name, "", ...others].map(text => element("th", "", text));
  for (const head of heads) head.scope = "col";
  const line = element("tr");
  line.append(...heads);
  find("compared").querySelector("thead").replaceChildren(line);
  find("compared").querySelector("tbody").replaceChildren(...found.rows.map(row));
  find("compared-reason").textContent = found.reason;
  find("compared-notes").replaceChildren(...found.notes.map(text => element("li", "", text)));
}

let shown = "";
function tell() {
  const told = state.choosing;
  if (!told) return;
  find("compare-start").hidden = told.busy;
  find("compare-start").textContent = told.stopped ? words.go_on : words.compare;
  find("compare-stop").hidden = !told.busy;
  find("compare-stop").disabled = told.stopping;
  tellProgress("choosing", told, told.stopped ? words.stopped_comparing : "");
  tellSaid("choosing", told.found ? [] : told.said);
  const now = JSON.stringify(told.found);
  if (now !== shown) show(told.found);
  shown = now;
}

find("compare").addEventListener("submit", event => {
  event.preventDefault();
  const seconds = find("compare-time").value;
  choose({ seconds: seconds ? Number(seconds) : null });
});
find("compare-stop").addEventListener("click", () => choose({ stop: true }));
onChange(what => { if (what === "news") tell(); });
