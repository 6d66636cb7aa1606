// The few things that links, forms and htmx do not do by themselves.
(() => {
  "use strict";

  const toasts = () => document.getElementById("toasts");
  const TOAST_MS = 6000;

  function keep(toast) {
    const close = document.createElement("button");
    close.type = "button";
    close.className = "button is-quiet";
    close.textContent = "×";
    close.setAttribute("aria-label", toasts().dataset.close);
    close.addEventListener("click", () => toast.remove());
    toast.append(close);
    if (toast.classList.contains("is-error")) return;
    let timer = setTimeout(() => toast.remove(), TOAST_MS);
    toast.addEventListener("pointerenter", () => clearTimeout(timer));
    toast.addEventListener("pointerleave", () => {
      timer = setTimeout(() => toast.remove(), TOAST_MS);
    });
  }

  function showToast(message, level) {
    const toast = document.createElement("div");
    toast.className = `toast is-${level || "success"}`;
    const text = document.createElement("span");
    text.textContent = message;
    toast.append(text);
    toasts().append(toast);
    keep(toast);
  }

  // Where the Clipboard API is missing (plain http on another machine) a selection still copies.
  async function copyText(text, source) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      return document.execCommand("copy");
    }
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy) || button.parentElement.querySelector("code");
    const done = await copyText(source.textContent.trim(), source);
    if (!done) return;
    const label = button.querySelector("span");
    const before = label.textContent;
    label.textContent = button.dataset.copied;
    button.classList.add("is-done");
    setTimeout(() => {
      label.textContent = before;
      button.classList.remove("is-done");
    }, 1600);
  }

  function applyTheme(theme) {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    for (const button of document.querySelectorAll('button[name="theme"]')) {
      button.setAttribute("aria-pressed", String(button.value === theme));
    }
  }

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except && !menu.contains(except)) menu.open = false;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    closeMenus(event.target);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = event.target.closest("details.menu[open]") || document.querySelector("details.menu[open]");
      if (!menu) return;
      menu.open = false;
      menu.querySelector("summary").focus();
      return;
    }
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const search = document.querySelector("[data-search]");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  document.addEventListener("toast", (event) => showToast(event.detail.message, event.detail.level));
  document.addEventListener("theme", (event) => applyTheme(event.detail.theme));

  // A hidden tab asks for nothing.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.matches("[data-poll]")) event.preventDefault();
  });
  const complain = (event) => {
    if (!event.detail.elt.matches("[data-poll]")) showToast(toasts().dataset.failed, "error");
  };
  document.addEventListener("htmx:sendError", complain);
  document.addEventListener("htmx:responseError", complain);

  for (const toast of document.querySelectorAll(".toast")) keep(toast);
})();
