// Leaving: the run with its report, the export with its proof, and the words that repeat it elsewhere.
import { attempt, change, element, find, say, words } from "./ask.js";
import { onChange, state } from "./store.js";

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
  const sentence = element("p", "worth", written.sentence), open = element("a", "primary", words.report), facts = element("dl");
  open.href = "/report";
  open.target = "_blank";
  open.rel = "noopener";
  fact(facts, words.run_folder, written.run);
  if (written.export) fact(facts, words.onnx, written.export);
  const proof = element("p", "soft", written.export ? written.says : `${words.no_export}: ${written.says}`);
  find("written").replaceChildren(sentence, open, facts, proof, code(words.in_python, written.python, "python"), code(words.same_command, written.command, "command-written"));
}

let shown = "";
function tell() {
  const told = state.leaving;
  if (!told) return;
  find("write").disabled = told.busy;
  find("leaving-bar").hidden = !told.busy;
  if (told.total) { find("leaving-bar").max = told.total; find("leaving-bar").value = told.done; } else find("leaving-bar").removeAttribute("value");
  find("leaving-says").textContent = told.busy ? told.label : told.problem;
  find("leaving-says").classList.toggle("wrong", Boolean(told.problem));
  find("same").hidden = Boolean(told.written);
  find("command").textContent = told.command.replace("NAME", find("run-name").value);
  const now = JSON.stringify(told.written);
  if (now === shown) return;
  shown = now;
  if (told.written) show(told.written);
  else find("written").replaceChildren();
}

find("leave").addEventListener("submit", event => {
  event.preventDefault();
  attempt(async () => { Object.assign(state, await change("/api/leave", { name: find("run-name").value })); tell(); });
});
find("run-name").addEventListener("input", tell);
onChange(what => { if (what === "news") tell(); });
