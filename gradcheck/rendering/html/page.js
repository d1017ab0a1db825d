"use strict";
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  // Copy buttons. A page opened from a file may have no clipboard; then the text is selected and copied the old way.
  async function copied(text, node) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const range = document.createRange();
      range.selectNodeContents(node);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      try { return document.execCommand("copy"); } catch { return false; }
    }
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault(); // in a <summary>: copy, do not open
    const node = button.closest(".gc-code").querySelector("pre code");
    const words = button.textContent;
    button.textContent = (await copied(node.textContent, node)) ? "Copied" : "Selected: copy with the keyboard";
    setTimeout(() => { button.textContent = words; }, 1600);
  });

  // A link into a card opens it.
  function reveal() {
    all(".gc-target").forEach((node) => node.classList.remove("gc-target"));
    let target = null;
    try { target = byId(decodeURIComponent(location.hash.slice(1))); } catch { /* no address of this page */ }
    if (!target) return;
    const card = target.closest("details.gc-card");
    if (!card) return;
    card.open = true;
    if (card !== target) target.classList.add("gc-target");
    card.scrollIntoView({ block: "start" });
    card.querySelector("summary").focus({ preventScroll: true });
  }
  addEventListener("hashchange", reveal);
  reveal();
  addEventListener("load", reveal); // the browser's own jump to the address comes last

  // Filters; what is chosen stays in the address, so that a filtered page can be sent on.
  const form = byId("filter");
  const find = byId("find"), show = byId("show"), found = byId("found");
  const bodies = all(".gc-matrix tbody");
  const cards = all("details.gc-card");
  function filter() {
    const text = find.value.trim().toLowerCase();
    const boxes = all("input[name=mode]", form);
    const modes = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const anyMode = boxes.length === 0 || modes.size === boxes.length;
    const visible = new Set();
    let count = 0;
    for (const body of bodies) {
      const states = body.dataset.states.split(" ");
      let fits = body.dataset.subject.toLowerCase().includes(text);
      if (show.value === "only-fine") fits &&= states.every((state) => state === "fine");
      else if (show.value) fits &&= states.includes(show.value);
      if (fits && !anyMode && body.closest(".gc-versions")) {
        const lines = all("tr", body);
        const some = lines.map((line) => line.dataset.modes.split(" ").some((mode) => modes.has(mode)));
        // The first line carries the subject's name, so it stays where any line does.
        lines.forEach((line, index) => { line.hidden = !some[index] && index > 0; });
        fits = some.includes(true);
      } else if (fits) all("tr", body).forEach((line) => { line.hidden = false; });
      body.hidden = !fits;
      if (fits) { count += 1; visible.add(body.dataset.subject); }
    }
    all(".gc-by-mode [data-mode]").forEach((cell) => { cell.hidden = !anyMode && !modes.has(cell.dataset.mode); });
    for (const card of cards) card.hidden = !visible.has(card.dataset.subject);
    found.textContent = count === bodies.length ? "" : `${count} of ${bodies.length} subjects`;
  }
  if (form) {
    let waiting = 0;
    form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 60); });
    form.addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest("input, select, textarea");
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        find.focus();
      } else if (event.key === "Escape" && event.target === find && find.value) {
        find.value = "";
        filter();
      }
    });
    filter(); // the browser may have kept what was chosen
  }

  // Arrow keys move between the links of the matrix.
  const matrix = document.querySelector(".gc-matrix");
  matrix?.addEventListener("keydown", (event) => {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    const lines = all("tbody:not([hidden]) tr:not([hidden])", matrix).map((line) => all("td:not(.gc-modes)", line));
    let row = lines.findIndex((line) => line.includes(cell));
    let column = lines[row].indexOf(cell);
    for (;;) {
      row += step[0];
      column += step[1];
      const next = lines[row]?.[column];
      if (!next) return;
      const link = next.querySelector("a");
      if (link) { event.preventDefault(); link.focus(); return; }
    }
  });

  // From one version to another: what the matrix says of both.
  const from = byId("from"), to = byId("to"), outcome = byId("outcome");
  function upgrade() {
    const one = Number(from.value), two = Number(to.value);
    const groups = { broken: [], fixed: [], still: [], unknown: [] };
    let fine = 0;
    for (const line of all(".gc-versions tbody tr")) {
      const before = line.dataset.code[one], after = line.dataset.code[two];
      const modes = line.dataset.modes.split(" ");
      const entry = { subject: line.closest("tbody").dataset.subject, modes, link: all("td.gc-cellbox", line)[after === "x" ? two : one].querySelector("a")?.getAttribute("href") };
      if ("-?".includes(before) || "-?".includes(after)) groups.unknown.push(entry);
      else if (before === "x") groups[after === "x" ? "still" : "fixed"].push(entry);
      else if (after === "x") groups.broken.push(entry);
      else fine += modes.length;
    }
    const titles = { broken: "Newly broken", fixed: "Fixed", still: "Broken in both", unknown: "Not known in one of them" };
    const box = document.createElement("div");
    box.className = "gc-outcomes";
    for (const [name, entries] of Object.entries(groups)) {
      if (name === "unknown" && !entries.length) continue;
      const part = document.createElement("div");
      const title = document.createElement("h4");
      const total = entries.reduce((sum, entry) => sum + entry.modes.length, 0);
      title.textContent = `${titles[name]}: ${total}`;
      part.append(title);
      if (entries.length) {
        const list = document.createElement("ul");
        for (const entry of entries) {
          const item = document.createElement("li");
          const link = document.createElement(entry.link ? "a" : "span");
          if (entry.link) link.href = entry.link;
          link.className = "gc-name";
          link.textContent = entry.subject;
          item.append(link, ` in ${entry.modes.join(", ")}`);
          list.append(item);
        }
        part.append(list);
      }
      box.append(part);
    }
    const verdict = document.createElement("p");
    const count = groups.broken.reduce((sum, entry) => sum + entry.modes.length, 0);
    const compared = fine + groups.broken.length + groups.fixed.length + groups.still.length;
    const [first, second] = [from, to].map((select) => select.selectedOptions[0].textContent);
    verdict.textContent = one === two ? "Choose two different versions."
      : !compared ? `Nothing was checked on both ${first} and ${second}, so nothing is known of this upgrade.`
      : `${count || "Nothing"} that ${count > 1 ? "work" : "works"} on ${first} ${count > 1 ? "are" : "is"} broken on ${second}; ${fine} ${fine === 1 ? "stays" : "stay"} right (counted by subject and mode).`;
    outcome.replaceChildren(verdict, ...(one === two ? [] : [box]));
  }
  if (from) {
    from.addEventListener("change", upgrade);
    to.addEventListener("change", upgrade);
    upgrade();
  }

  // Paper shows what is folded away.
  let folded = [];
  addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach((node) => { node.open = true; }); });
  addEventListener("afterprint", () => { folded.forEach((node) => { node.open = false; }); });
});
