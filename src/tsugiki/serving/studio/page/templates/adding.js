// Photos that are dropped, pasted or chosen: kept beside the decisions, one by one, so that one bad file stops nothing.
import { attempt, change, complain, fill, find, Refused, say, words } from "./ask.js";
import { arrange, changed, state } from "./store.js";

async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const part = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!part.length) return found;
    for (const one of part) found.push(...await filesIn(one));
  }
}

export async function filesOf(carried) {
  const entries = [...carried.items ?? []].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...carried.files];
  return (await Promise.all(entries.map(filesIn))).flat();
}

// The numbers of the photos, also of those that were there already.
export async function addPhotos(files) {
  const batch = crypto.randomUUID(), rows = [];
  let added = 0;
  for (const [at, file] of files.entries()) {
    say(fill(words.adding, { done: at + 1, count: files.length }));
    try {
      const told = await change(`/api/photos?batch=${batch}`, file);
      rows.push(told.row);
      if (told.new) {
        state.names[told.row] = told.name;
        state.labels[told.row] = -1;
        Object.assign(state, { revision: told.revision, undo: told.undo, redo: told.redo });
        added += 1;
      }
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      complain({ what: fill(words.unreadable, { name: file.name, reason: fault.error.got ?? fault.error.what }) });
    }
  }
  arrange();
  changed("labels");
  if (added) say(fill(words.added, { count: added }));
  return rows;
}

const isPhotos = () => !find("room-photos").hidden;
for (const id of ["files", "folder"]) {
  find(id).addEventListener("change", event => {
    const files = [...event.target.files].filter(file => !file.name.startsWith("."));
    event.target.value = "";
    attempt(() => addPhotos(files));
  });
}
addEventListener("dragover", event => { event.preventDefault(); find("dropping").hidden = false; });
addEventListener("dragleave", event => { if (!event.relatedTarget) find("dropping").hidden = true; });
addEventListener("drop", event => {
  event.preventDefault();
  find("dropping").hidden = true;
  if (isPhotos()) filesOf(event.dataTransfer).then(addPhotos);
});
addEventListener("paste", event => { if (isPhotos() && event.clipboardData.files.length) addPhotos([...event.clipboardData.files]); });
