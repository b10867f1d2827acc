// Photos are sent one by one, so that the first answer does not wait for the last photo. Without this script the page says so.
"use strict";
const form = document.getElementById("ask");
const answers = document.getElementById("answers");
const drop = form.querySelector(".drop");
const words = form.dataset;
const MOST_SHOWN = 50;

const element = (name, kind, text) => {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
};
const percent = share => `${(100 * share).toFixed(1)}%`;

function card(file) {
  const item = element("li");
  const picture = element("img");
  picture.alt = "";
  picture.src = URL.createObjectURL(file);
  picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
  picture.addEventListener("error", () => { URL.revokeObjectURL(picture.src); picture.hidden = true; }, { once: true });
  const told = element("div");
  told.append(element("p", "name", file.name), element("p", "answer", words.working));
  item.append(picture, told);
  answers.prepend(item);
  while (answers.children.length > MOST_SHOWN) answers.lastChild.remove();
  document.getElementById("none-yet").hidden = true;
  return told;
}

function show(told, name, prediction) {
  const known = prediction.known;
  const label = prediction.labels ? prediction.labels.join(words.comma) || words.none : prediction.label;
  const text = known ? label : words.unsure.replace("{label}", label);
  const list = element("dl");
  for (const one of prediction.top) {
    const bar = element("dd", "bar"), filled = element("i");
    filled.style.width = percent(one.probability);
    bar.append(filled);
    list.append(element("dt", "", one.label), bar, element("dd", "", percent(one.probability)));
  }
  told.replaceChildren(element("p", "name", name), element("p", known ? "answer" : "answer unsure", text));
  if (!known) told.append(element("p", "why", words.why));
  told.append(list);
}

function complain(told, name, error) {
  told.replaceChildren(element("p", "name", name), element("p", "answer unsure", error.what));
  for (const part of [error.allowed, error.got, error.next]) if (part) told.append(element("p", "why", part));
}

async function ask(file) {
  const told = card(file);
  const query = new URLSearchParams({ model: document.getElementById("model").value, lang: words.language, name: file.name });
  try {
    const response = await fetch(`/v1/predict?${query}`, { method: "POST", body: file, headers: { "content-type": "application/octet-stream" } });
    const document_ = await response.json();
    if (response.ok) show(told, file.name, document_.predictions[0]);
    else complain(told, file.name, document_.error);
  } catch {
    complain(told, file.name, { what: words.unreachable });
  }
}

async function tellState() {
  try {
    const found = await (await fetch(`/v1/models?lang=${words.language}`)).json();
    for (const model of found.models) {
      const part = [...document.querySelectorAll("#state section")].find(one => one.dataset.model === model.name);
      const said = model.drift.said.map((sentence, at) => element("p", at ? "alarm" : "", sentence));
      part.replaceChildren(...part.querySelectorAll("h3"), ...said);
    }
  } catch { /* the next answer tells */ }
}

async function askAll(files) {
  for (const file of files) await ask(file);
  await tellState();
}

form.addEventListener("submit", event => event.preventDefault());
document.getElementById("photos").addEventListener("change", event => {
  const files = [...event.target.files];
  event.target.value = "";
  askAll(files);
});
addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
addEventListener("dragleave", () => drop.classList.remove("over"));
addEventListener("drop", event => { event.preventDefault(); drop.classList.remove("over"); askAll([...event.dataTransfer.files]); });
addEventListener("paste", event => askAll([...event.clipboardData.files]));
