"use strict";
(() => {
  const strings = JSON.parse(document.getElementById("strings").textContent);
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  let language = "en";

  const text = (key) => {
    const known = Object.hasOwn(strings, key) ? strings[key][language] : null;
    return known ?? key.slice(key.indexOf(".") + 1).replaceAll("_", " ");
  };

  const duration = (seconds) => {
    const unit = (name) => (language === "zh" ? "" : " ") + text("unit." + name);
    const join = language === "zh" ? "" : " ";
    if (seconds < 60) return Number(seconds.toFixed(1)) + unit("s");
    const whole = Math.round(seconds);
    const parts = [["d", Math.floor(whole / 86400)], ["h", Math.floor(whole / 3600) % 24], ["min", Math.floor(whole / 60) % 60], ["s", whole % 60]];
    const first = parts.findIndex(([, count]) => count > 0);
    return parts.slice(first, first + 2).map(([name, count]) => count + unit(name)).join(join);
  };

  const speak = (next, root = document) => {
    language = next;
    if (root === document) document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
    for (const node of all("[data-t]", root)) node.textContent = text(node.dataset.t);
    for (const node of all("[data-dur]", root)) node.textContent = duration(Number(node.dataset.dur));
    for (const node of all("[data-t-label]", root)) node.setAttribute("aria-label", text(node.dataset.tLabel));
    for (const node of all("[data-t-title]", root)) node.title = text(node.dataset.tTitle);
    for (const node of all("[data-t-alt]", root)) node.alt = text(node.dataset.tAlt);
    for (const lane of all(".lane-name + svg[role=group]", root)) lane.setAttribute("aria-label", lane.previousElementSibling.textContent.trim());
  };

  const remembered = () => {
    try { return localStorage.getItem("jiexu-language"); } catch { return null; }
  };
  const wanted = new URLSearchParams(location.search).get("lang") ?? remembered() ?? navigator.language;
  speak(/^zh/i.test(wanted) ? "zh" : "en");
  document.getElementById("language").addEventListener("click", () => {
    speak(language === "zh" ? "en" : "zh");
    count();
    try { localStorage.setItem("jiexu-language", language); } catch { /* a page without storage forgets it */ }
  });

  const cards = all(".card");
  const shown = document.getElementById("shown");
  const chips = all(".chip");
  const pick = (id) => document.getElementById(id);

  const count = () => {
    const visible = cards.filter((card) => !card.hidden).length;
    shown.textContent = visible === cards.length ? String(visible) : `${visible} ${text("shown_of")} ${cards.length}`;
    if (pick("nothing")) pick("nothing").hidden = visible > 0;
  };

  const filter = () => {
    const kinds = new Set(chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.kind));
    const camera = pick("by-camera").value;
    const state = pick("by-state").value;
    for (const card of cards) {
      card.hidden = !kinds.has(card.dataset.kind) || (camera !== "" && card.dataset.camera !== camera) || (state !== "" && card.dataset.state !== state);
    }
    for (const line of all(".camera")) line.hidden = camera !== "" && line.dataset.camera !== camera;
    count();
  };

  const reset = () => {
    for (const chip of chips) chip.setAttribute("aria-pressed", "true");
    pick("by-camera").value = "";
    pick("by-state").value = "";
    filter();
  };

  if (cards.length > 0) {
    for (const chip of chips) {
      chip.addEventListener("click", () => {
        chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
        filter();
      });
    }
    pick("by-camera").addEventListener("change", filter);
    pick("by-state").addEventListener("change", filter);
    pick("show-all").addEventListener("click", reset);
    pick("by-order").addEventListener("change", (event) => {
      const by = event.target.value;
      const sign = by === "time" ? 1 : -1;
      const value = (card) => Number(card.dataset[by]);
      const tie = (a, b) => Number(a.dataset.time) - Number(b.dataset.time);
      pick("cards").append(...cards.toSorted((a, b) => sign * (value(a) - value(b)) || tie(a, b)));
    });
  }

  const show = (card, view) => {
    for (const pane of all(".pane", card)) {
      const on = pane.dataset.pane === view;
      pane.hidden = !on;
      const video = pane.querySelector("video");
      if (video && !on) video.pause();
      if (on && pane.dataset.clip && !video) {
        const player = document.createElement("video");
        Object.assign(player, { controls: true, muted: true, playsInline: true, loop: true, src: pane.dataset.clip });
        pane.append(player);
        player.play().catch(() => { /* the reader starts it */ });
      }
    }
    for (const button of all("[data-view]", card)) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-view]");
    if (button) show(button.closest(".card"), button.dataset.view);
    const bar = event.target.closest(".lane a");
    if (bar) {
      const card = document.getElementById(bar.getAttribute("href").slice(1));
      if (card?.hidden) reset();
      card?.focus({ preventScroll: true });
    }
  });

  // Proof stays inert until it is asked for: thousands of cards open at once otherwise.
  document.addEventListener("toggle", (event) => {
    const template = event.target.querySelector(":scope > template");
    if (!template) return;
    const content = template.content.cloneNode(true);
    speak(language, content);
    template.replaceWith(content);
  }, true);

  document.addEventListener("input", (event) => {
    if (event.target.matches(".compare input")) event.target.closest(".compare").style.setProperty("--at", event.target.value + "%");
  });

  document.addEventListener("error", (event) => {
    const node = event.target;
    const name = node.localName;
    if (name !== "img" && name !== "video") return;
    const note = document.createElement("span");
    note.className = "missing";
    note.dataset.t = name === "img" ? "picture_missing" : "clip_missing";
    note.textContent = text(note.dataset.t);
    node.replaceWith(note);
  }, true);
})();
