// What the page asks the studio, and how it says what went wrong. Nothing else is ever asked.
export const words = JSON.parse(document.body.dataset.words);
const token = document.body.dataset.changeToken;

export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
export const find = id => document.getElementById(id);
export const percent = share => `${(100 * share).toFixed(1)}%`;

export function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

let told;
function show(id, text, seconds) {
  find(id).textContent = text;
  clearTimeout(told);
  told = setTimeout(() => { find("status").textContent = find("fault").textContent = ""; }, 1000 * seconds);
}
export function say(text) { find("fault").textContent = ""; show("status", text, 4); }
export function complain(error) {
  find("status").textContent = "";
  show("fault", [error.what, error.allowed, error.got, error.next].filter(Boolean).join(" · "), 12);
}

export class Refused extends Error {
  constructor(error) { super(error.what); this.error = error; }
}

async function answered(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Refused({ what: words.unreachable });
  }
  const document_ = await response.json();
  if (!response.ok) throw new Refused(document_.error);
  return document_;
}

export const ask = address => answered(address, {});

// A change: JSON, or the bytes of a photo. The token shows that this page asks.
export const change = (address, asked) => answered(address, {
  method: "POST",
  headers: { "x-tsugiki-change": token, "content-type": asked instanceof Blob ? "application/octet-stream" : "application/json" },
  body: asked instanceof Blob ? asked : JSON.stringify(asked ?? {}),
});

// Run something of the page; what is refused is said.
export async function attempt(what) {
  try {
    return await what();
  } catch (fault) {
    if (!(fault instanceof Refused)) throw fault;
    complain(fault.error);
    return undefined;
  }
}
