// The theme's search is a dialog without a name, for those who hear the page.
document.querySelector(".md-search")?.setAttribute("aria-label", document.querySelector("input[name=query]").placeholder);
// The theme's search hears keys alone: not what is pasted by mouse, spoken, or written with an input method that lets go of no key.
document.querySelector("input[name=query]")?.addEventListener("input", (event) => {
  event.target.dispatchEvent(new KeyboardEvent("keyup"));
});
