// Leaving: the run with its report, the export with its proof, and the words that repeat it elsewhere.
import { attempt, change, element, find, say, words } from "./ask.js";
import { tellProgress, tellSaid } from "./progress.js";
import { changed, onChange, state } from "./store.js";

function code(title, text, id) {
  const part = element("div"), head = element("div", "code-head"), copy = element("button", "quiet", words.copy), shown = element("pre", "", text);
  copy.type = "button";
  copy.addEventListener("click", async () => { await navigator.clipboard.writeText(text); say(words.copied); });
  shown.id = id;
  shown.tabIndex = 0;
  head.append(element("h3", "", title), copy);
  part.append(head, shown);
  return part;
}

function fact(list, name, value) { list.append(element("dt", "", name), element("dd", "", value)); }

function show(written) {
  const sentence = element("p", "worth", written.sentence), verdict = written.fine_tuning.map(text => element("p", "verdict", text)), open = element("a", "primary", words.report), facts = element("dl");
  open.href = "/report";
  open.target = "_blank";
  open.rel = "noopener";
  fact(facts, words.run_folder, written.run);
  if (written.export) fact(facts, words.onnx, written.export);
  const proof = element("p", "soft", written.export ? written.says : `${words.no_export}: ${written.says}`);
  find("written").replaceChildren(sentence, ...verdict, open, facts, proof, code(words.in_python, written.python, "python"), code(words.same_command, written.command, "command-written"));
}

const leave = asked => attempt(async () => { Object.assign(state, await change("/api/leave", asked)); changed("news"); });

let shown = "";
function tell() {
  const told = state.leaving;
  if (!told) return;
  const fineTunes = find("fine-tune").checked;
  find("write").disabled = told.busy;
  find("write").textContent = told.stopped && fineTunes ? words.go_on : words.write;
  find("write-stop").hidden = !told.busy;
  find("write-stop").disabled = told.stopping;
  tellProgress("leaving", told, told.stopped ? (fineTunes ? words.stopped_fine_tuning : words.stopped_writing) : "");
  tellSaid("leaving", fineTunes ? told.said : []);
  find("same").hidden = Boolean(told.written);
  find("command").textContent = (fineTunes ? told.command_fine_tuning : told.command).replace("NAME", () => find("run-name").value);
  const now = JSON.stringify(told.written);
  if (now === shown) return;
  shown = now;
  if (told.written) show(told.written);
  else find("written").replaceChildren();
}

find("leave").addEventListener("submit", event => {
  event.preventDefault();
  leave({ name: find("run-name").value, fine_tune: find("fine-tune").checked });
});
find("write-stop").addEventListener("click", () => leave({ stop: true }));
find("run-name").addEventListener("input", tell);
find("fine-tune").addEventListener("input", tell);
onChange(what => { if (what === "news") tell(); });
