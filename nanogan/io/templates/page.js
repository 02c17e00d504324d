for (const slider of document.querySelectorAll(".slider")) {
  const frames = slider.querySelectorAll(".frame"), range = slider.querySelector("input");
  const [back, on] = slider.querySelectorAll("button"), words = slider.querySelector("output");
  const show = (wanted) => {
    const n = Math.min(Math.max(wanted, 0), frames.length - 1);
    frames.forEach((frame, place) => frame.classList.toggle("off", place !== n));
    range.value = n;
    words.textContent = frames[n].querySelector("figcaption").textContent;
    range.setAttribute("aria-valuetext", words.textContent);
  };
  range.addEventListener("input", () => show(+range.value));
  back.addEventListener("click", () => show(+range.value - 1));
  on.addEventListener("click", () => show(+range.value + 1));
  slider.classList.add("live");
  show(frames.length - 1);
}
const follow = document.querySelector("#follow input");
if (follow) setInterval(() => follow.checked && location.reload(), 1000 * follow.value);
