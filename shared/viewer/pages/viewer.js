// What pages do beyond HTML: copy a value, walk through messages with j and k, and
// show the newest message first. Without it everything else works.
"use strict";
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.previousElementSibling.textContent);
    const before = button.textContent;
    button.textContent = button.dataset.copy;
    setTimeout(() => { button.textContent = before; }, 2000);
  });
}
const flow = document.querySelector(".column.transcript .flow");
if (flow && !location.hash && !flow.querySelector("a[rel=next]")) flow.scrollTop = flow.scrollHeight;
document.addEventListener("keydown", (event) => {
  if (!flow || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const step = { j: 1, k: -1 }[event.key];
  if (!step) return;
  const all = [...flow.querySelectorAll(".m")];
  const at = all.findIndex((m) => m.classList.contains("here"));
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
  if (!next) return;
  if (at >= 0) all[at].classList.remove("here");
  next.classList.add("here");
  next.scrollIntoView({ block: "nearest" });
});
