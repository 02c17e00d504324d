{
  const follow = () => {
    const box = document.getElementById("box-" + location.hash.slice(1)), frame = box?.closest(".drawing");
    if (frame) frame.scrollTop += box.getBoundingClientRect().top - frame.getBoundingClientRect().top - frame.clientHeight / 2;
  };
  addEventListener("hashchange", follow);
  follow();
}
addEventListener("keydown", (event) => {
  const link = { ArrowLeft: ".back", ArrowRight: ".on" }[event.key];
  if (!link || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const there = document.querySelector("article:target");
  (there ? there.querySelector(link) : document.querySelector(".start"))?.click();
});
