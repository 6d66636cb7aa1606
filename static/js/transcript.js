// The transcript: opens what there is room for, marks where one is, follows a running session.
(() => {
  "use strict";

  const transcript = document.getElementById("transcript");
  if (!transcript) return;
  // An answer that nothing is new costs the server next to nothing.
  const BUSY = 1000;
  const QUIET = 1500;
  const BUSY_FOR = 20000;
  const SLOWEST = 15000;
  const seqOf = (message) => Number(message.id.slice(1));

  // Side panels: open where they stand beside the conversation, folded above it on a phone.
  const wide = matchMedia("(min-width: 72.0625rem)");
  const fold = () => {
    for (const panel of document.querySelectorAll("[data-open-wide]")) panel.open = wide.matches;
  };
  wide.addEventListener("change", fold);
  // After htmx has found them, so that opening the outline fetches it.
  document.addEventListener("DOMContentLoaded", () => setTimeout(fold));

  // A link to a message that is on the page already only scrolls.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("#outline a[data-at]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (!document.getElementById(`m${link.dataset.at}`)) return;
    event.preventDefault();
    location.hash = `m${link.dataset.at}`;
  });

  // Earlier messages come in above: what is being read stays where it is.
  let held = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const message = event.detail.target.matches(".more") && event.detail.target.nextElementSibling;
    held = message ? { message, top: message.getBoundingClientRect().top } : null;
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (held) scrollBy({ top: held.message.getBoundingClientRect().top - held.top, behavior: "instant" });
    held = null;
  });

  // The outline marks the prompt that is being read.
  let marked = null;
  function markPlace() {
    const outline = document.getElementById("outline");
    if (!outline) return;
    let current = 0;
    for (const prompt of transcript.querySelectorAll(".window > .message.is-prompt")) {
      if (prompt.getBoundingClientRect().top > innerHeight / 3) break;
      current = seqOf(prompt);
    }
    const link = current && outline.querySelector(`a[data-at="${current}"]`);
    if (!link || link === marked) return;
    marked?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "location");
    const list = link.closest("ol");
    if (list.scrollHeight > list.clientHeight) {
      list.scrollTop = link.offsetTop - list.offsetTop - list.clientHeight / 2;
    }
    marked = link;
  }
  let waiting = false;
  document.addEventListener(
    "scroll",
    () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        markPlace();
      });
    },
    { passive: true },
  );
  document.addEventListener("htmx:afterSettle", markPlace);

  // Following: ask for what changed, put it in its place, leave open what is open.
  const note = transcript.querySelector(".live-note > button");
  let wait = BUSY;
  let newsAt = performance.now();
  let etag = "";
  let timer = 0;

  // Those of the session itself: what a fork shows of its parent never changes here.
  const messages = () => [...transcript.querySelectorAll(".window > .message")];

  function address() {
    const shown = messages();
    const query = new URLSearchParams({ since_revision: transcript.dataset.revision });
    if (shown.length) query.set("first", seqOf(shown[0]));
    // Below a button for later messages nothing is added: they come with their window.
    if (transcript.querySelector('.more[href*="after="]')) query.set("last", seqOf(shown.at(-1)));
    if ("system" in transcript.dataset) query.set("system", "1");
    return `${transcript.dataset.live}?${query}`;
  }

  // What was fetched into an open call stays; only its line is news.
  function keepOpen(before, after) {
    for (const details of before.querySelectorAll("details[open][id]")) {
      const fresh = after.querySelector(`#${CSS.escape(details.id)}`);
      if (!fresh) continue;
      const had = details.querySelector(".call-body");
      const has = fresh.querySelector(".call-body");
      const answered = details.className !== fresh.className;
      if (had && has && !answered) has.replaceWith(had);
      fresh.open = true;
    }
  }

  function place(article) {
    const before = document.getElementById(article.id);
    if (before) {
      keepOpen(before, article);
      before.replaceWith(article);
    } else {
      const seq = seqOf(article);
      const next = messages().find((message) => seqOf(message) > seq);
      if (next) next.before(article);
      else transcript.querySelector(".window").append(article);
    }
    htmx.process(article);
    return !before;
  }

  function isAtEnd() {
    return document.documentElement.scrollHeight - scrollY - innerHeight < 120;
  }

  function take(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const changes = page.getElementById("changes");
    if (!changes) return;
    const atEnd = isAtEnd();
    let added = false;
    for (const article of changes.querySelectorAll(".message")) {
      added = place(document.importNode(article, true)) || added;
    }
    document.getElementById("state").replaceWith(document.importNode(changes.querySelector("#state"), true));
    transcript.dataset.revision = changes.dataset.revision;
    if (!("live" in changes.dataset)) transcript.removeAttribute("data-live");
    if (!added) return;
    if (atEnd) scrollTo({ top: document.documentElement.scrollHeight });
    else note.hidden = false;
  }

  async function follow() {
    if (!transcript.dataset.live || document.hidden) return;
    const answer = await fetch(address(), {
      headers: etag ? { "If-None-Match": etag } : {},
      cache: "no-store",
    }).catch(() => null);
    if (answer?.redirected || answer?.status === 404) return; // signed out, or not ours any more
    const understood = answer?.status === 200 || answer?.status === 304;
    const pause = performance.now() - newsAt < BUSY_FOR ? BUSY : QUIET;
    wait = understood ? pause : Math.min(wait * 2, SLOWEST);
    if (understood) etag = answer.headers.get("ETag") || "";
    if (answer?.status === 200) {
      take(await answer.text());
      newsAt = performance.now();
    }
    timer = setTimeout(follow, wait);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(follow, 200);
  });
  document.addEventListener("scroll", () => isAtEnd() && (note.hidden = true), { passive: true });
  note.addEventListener("click", () => scrollTo({ top: document.documentElement.scrollHeight }));
  if (transcript.dataset.live) timer = setTimeout(follow, wait);
})();
