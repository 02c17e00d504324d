addEventListener("keydown", (event) => {
  const link = { ArrowLeft: ".back", ArrowRight: ".on" }[event.key];
  if (!link || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const there = document.querySelector("article:target");
  (there ? there.querySelector(link) : document.querySelector(".start"))?.click();
});
