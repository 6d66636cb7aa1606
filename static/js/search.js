// Search: recent searches of this browser, the keyboard, and marks in the transcript.
(() => {
  "use strict";

  const KEY = "recent-searches";
  const MOST = 12;
  const box = document.querySelector("[data-recent]");

  // Recent searches stay in the browser: the server does not learn them twice.
  function recent() {
    try {
      return JSON.parse(localStorage.getItem(KEY)) || [];
    } catch {
      return [];
    }
  }
  function remember(text) {
    if (!text.trim()) return;
    const list = [text, ...recent().filter((one) => one !== text)].slice(0, MOST);
    localStorage.setItem(KEY, JSON.stringify(list));
  }
  if (box) {
    const options = document.querySelector(box.dataset.recent);
    for (const text of recent()) options.append(new Option(text, text));
    if (location.search) remember(box.value);
    box.form.addEventListener("submit", () => remember(box.value));
    box.addEventListener("change", () => remember(box.value));
    if (!box.value) box.focus();
  }

  // j and k, or the arrows, go from hit to hit.
  function step(by) {
    const lines = [...document.querySelectorAll(".result-line")];
    if (!lines.length) return false;
    const here = lines.indexOf(document.activeElement);
    lines[Math.min(Math.max(here + by, 0), lines.length - 1)].focus();
    return true;
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      const finder = document.getElementById("find");
      if (event.key === "f" && finder && event.target !== finder && !event.altKey) {
        event.preventDefault(); // a second Ctrl+F is the browser's own
        finder.focus();
        finder.select();
      }
      return;
    }
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "ArrowDown" && event.target === box) event.preventDefault() || step(1);
    if (event.key === "Enter" && event.target.id === "find") {
      const link = document.querySelector(event.shiftKey ? "[data-previous]" : "[data-next]");
      if (link) event.preventDefault() || link.click();
    }
    if (typing) return;
    if (event.key === "j") step(1);
    if (event.key === "k") step(-1);
    if (event.key === "n") document.querySelector("[data-next]")?.click();
    if (event.key === "N") document.querySelector("[data-previous]")?.click();
  });

  // Marks what was looked for, without touching the page's elements.
  const transcript = document.getElementById("transcript");
  function pattern() {
    const words = document.getElementById("finder")?.dataset.words?.split("|").filter(Boolean) || [];
    const safe = (word) => word.replace(/[^\p{L}\p{N}]/gu, "\\$&");
    const terms = words.map((term) => term.split(" ").map(safe).join("[^\\p{L}\\p{N}]{0,40}"));
    return terms.length ? new RegExp(terms.join("|"), "giu") : null;
  }
  function mark() {
    const looked = transcript && CSS.highlights && pattern();
    if (!looked) return CSS.highlights?.delete("found");
    const ranges = [];
    const walker = document.createTreeWalker(transcript, NodeFilter.SHOW_TEXT);
    while (walker.nextNode() && ranges.length < 2000) {
      const node = walker.currentNode;
      if (node.parentElement.closest("#finder")) continue;
      for (const match of node.data.matchAll(looked)) {
        const range = new Range();
        range.setStart(node, match.index);
        range.setEnd(node, match.index + match[0].length);
        ranges.push(range);
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }
  // The message of the hit shows all of itself: what is folded there opens, calls load.
  function unfold() {
    if (!new URLSearchParams(location.search).get("find") || !location.hash) return;
    const message = document.getElementById(location.hash.slice(1));
    for (const part of message?.querySelectorAll("details") || []) part.open = true;
  }
  if (transcript) {
    document.addEventListener("htmx:afterSettle", mark);
    document.addEventListener("DOMContentLoaded", () => setTimeout(unfold, 50));
    mark();
  }
})();
