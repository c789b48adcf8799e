// What pages do beyond HTML: copy a value, walk through messages with j and k, show the
// newest message first, add older pages to a short one, and fill the columns beside a
// transcript. Without it everything else works.
"use strict";
// Times are those of the browser's zone from the next page on.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes("zone=" + zone)) {
  document.cookie = "zone=" + zone + "; path=/; max-age=31536000; samesite=lax" + (location.protocol === "https:" ? "; secure" : "");
}
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
async function pageAt(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// A conversation that seldom speaks comes in short pages: older ones are put before it
// until the screen is full, a few at most. Each is a page of its own, and recorded.
async function addOlder() {
  for (let n = 0; n < 4 && flow.querySelectorAll(".m").length < flow.dataset.full; n++) {
    const link = flow.querySelector("a[rel=prev]");
    if (!link) return;
    const older = (await pageAt(link.href)).querySelector(".column.transcript .flow");
    if (!older || !older.querySelector(".m")) return;
    older.querySelector("a[rel=next]")?.closest("p").remove();
    const days = older.querySelectorAll(".daybreak"), day = flow.querySelector(".daybreak");
    if (day && days.length && days[days.length - 1].textContent === day.textContent) day.remove();
    const below = flow.scrollHeight - flow.scrollTop;
    link.closest("p").replaceWith(...older.childNodes);
    flow.scrollTop = flow.scrollHeight - below;
  }
}

async function fillColumns(main) {
  const page = await pageAt(main.dataset.columns);
  const id = new URL(location.href).searchParams.get("id");
  for (const column of [".column.people", ".column.talks"]) {
    const list = page.querySelector(column + " .list"), old = main.querySelector(column + " .list");
    if (!list || !old) continue;
    const more = page.querySelector(column + " .more");
    old.replaceWith(list, ...(more ? [more] : []));
    for (const a of list.querySelectorAll("a")) {
      if (new URL(a.href).searchParams.get("id") === id) a.setAttribute("aria-current", "true");
    }
  }
}
// What fails leaves the page as it was.
if (flow?.dataset.full) addOlder().catch(() => {});
const columns = document.querySelector("main[data-columns]");
if (columns?.querySelector(".column.people").offsetParent) fillColumns(columns).catch(() => {});
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
