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

  // On a phone the subjects that are right everywhere are folded away until they are asked for.
  const unfold = byId("unfold");
  let folded = Boolean(unfold);
  function fold(away) {
    if (!unfold) return;
    folded = away;
    unfold.setAttribute("aria-expanded", String(!folded));
    unfold.textContent = `${folded ? "Show" : "Hide"} the ${unfold.dataset.count} that passed everywhere`;
    // Whoever looks for something finds it, right or not.
    document.querySelector(".gc-matrix").classList.toggle("gc-folded", folded && !byId("find").value.trim() && !byId("show").value);
  }
  unfold?.addEventListener("click", () => fold(!folded));

  // An address of this page, or a name as it is printed, such as loops/map_fn-xla-2.8.4; of what is right, and so has no
  // address, the subject's line.
  function addressed() {
    try { return decodeURIComponent(location.hash.slice(1)); } catch { return ""; }
  }
  function named(name) {
    const plain = name.replace(/[^A-Za-z0-9_.]+/g, "-").replace(/^[-.]+|[-.]+$/g, "");
    const subject = plain.replace(/-(eager|graph|dynamic|xla)(-\d[^-]*(-(dev|rc)\w*)?)?$/, "");
    return byId(name) ?? byId(plain) ?? byId(`subject-${plain}`) ?? byId(`subject-${subject}`);
  }

  // A link into a card opens it.
  function reveal() {
    all(".gc-target").forEach((node) => node.classList.remove("gc-target"));
    const name = addressed();
    const target = name && named(name);
    if (!target) return;
    if (target.closest("tbody[data-states=fine]")) fold(false);
    const card = target.closest("details.gc-card");
    if (!card) {
      if (target.id !== name) target.scrollIntoView({ block: "start" }); // the browser does not know this address
      return;
    }
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
    fold(folded);
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

  // From one version to another: what the matrix says of both. The first answer is in the page; the same is said here of
  // any other pair.
  const from = byId("from"), to = byId("to"), outcome = byId("outcome");
  const told = from ? JSON.parse(byId("upgrade").dataset.told) : null;
  const ran = new Map(); // by subject and mode: the line of the matrix, and under "k" that with Keras 2 by tf_keras
  if (told) for (const body of bodies) {
    const whole = body.dataset.subject, legacy = whole.endsWith(told.ending);
    const name = legacy ? whole.slice(0, -told.ending.length) : whole;
    if (!ran.has(name)) ran.set(name, new Map());
    for (const line of all("tr", body)) for (const mode of line.dataset.modes.split(" ")) {
      const found = ran.get(name);
      if (!found.has(mode)) found.set(mode, {});
      found.get(mode)[legacy ? "k" : ""] = line;
    }
  }
  function cellOf(lines, side) {
    const line = lines[side.endsWith("k") ? "k" : ""], column = parseInt(side, 10);
    const [word, kind] = told.verdicts[line?.dataset.code[column]] ?? ["not run", "none"];
    return { line, column, word, kind };
  }
  function became(before, after) {
    if (before.kind === "none" || after.kind === "none") return "missing";
    if (before.kind === "undecided" || after.kind === "undecided") return "undecided";
    if (before.kind === "right") return after.kind === "right" ? "right" : "broken";
    if (after.kind === "right") return "fixed";
    return before.kind === "refused" && after.kind === "wrong" ? "exposed" : "still";
  }
  function part(name, entries, count) {
    const box = document.createElement("details"), summary = document.createElement("summary");
    box.className = count && (name === "broken" || name === "exposed") ? "gc-outcome gc-bad" : "gc-outcome";
    box.open = !told.folded.includes(name);
    const title = document.createElement("h3");
    title.textContent = `${told.titles[name]}: ${count}`;
    summary.append(title);
    box.append(summary);
    if (!entries.length) return box;
    const list = document.createElement("ul");
    for (const { subject, modes, before, after } of entries) {
      const cell = after.kind === "refused" || after.kind === "wrong" ? after : before;
      const address = cell.line && all("td.gc-cellbox", cell.line)[cell.column].querySelector("a")?.getAttribute("href");
      const link = document.createElement(address ? "a" : "span");
      link.className = "gc-name";
      if (address) link.href = address;
      link.textContent = subject;
      const words = before.word === after.word ? before.word : `${before.word} → ${after.word}`;
      const item = document.createElement("li");
      item.append(link, ` in ${modes.join(", ")}: ${words}`);
      list.append(item);
    }
    box.append(list);
    return box;
  }
  function upgrade() {
    const groups = Object.fromEntries([...Object.keys(told.titles), "right"].map((name) => [name, []]));
    let subjects = 0, compared = 0;
    for (const subject of [...ran.keys()].sort()) {
      const alike = new Map();
      let some = false, both = false;
      for (const mode of told.modes) {
        const lines = ran.get(subject).get(mode);
        if (!lines) continue;
        const before = cellOf(lines, from.value), after = cellOf(lines, to.value);
        if (before.kind === "none" && after.kind === "none") continue;
        some = true;
        both ||= before.kind !== "none" && after.kind !== "none";
        const key = `${before.word} ${after.word}`;
        if (alike.has(key)) alike.get(key).modes.push(mode);
        else alike.set(key, { subject, modes: [mode], before, after });
      }
      subjects += some;
      compared += both;
      for (const entry of alike.values()) groups[became(entry.before, entry.after)].push(entry);
    }
    const counts = Object.fromEntries(
      Object.entries(groups).map(([name, entries]) => [name, entries.reduce((sum, entry) => sum + entry.modes.length, 0)]));
    const { broken, exposed, right } = counts;
    const [first, second] = [from, to].map((select) => select.selectedOptions[0].dataset.name);
    const sentence = document.createElement("p");
    if (from.value === to.value) sentence.textContent = "Choose two different versions.";
    else if (!compared) sentence.textContent = `Nothing was checked on both ${first} and ${second}, so nothing is known of this upgrade.`;
    else {
      const parts = [broken || right
        ? `${broken || "Nothing"} that ${broken > 1 ? "work" : "works"} on ${first} ${broken > 1 ? "are" : "is"} broken on ${second}`
        : Object.values(groups).flat().some(({ before }) => before.kind === "right" || before.kind === "undecided")
          ? `Nothing is known on ${second} of what works on ${first}` : `Nothing of what was compared works on ${first}`];
      if (exposed) parts.push(`${exposed} ${exposed > 1 ? "were refused before, now run and are" : "was refused before, now runs and is"} wrong`);
      if (broken || right) parts.push(`${right} ${right === 1 ? "stays" : "stay"} right`);
      const words = `${parts.join("; ")} (counted by subject and mode).`, some = `${compared} of ${subjects} subjects can be compared.`;
      sentence.textContent = compared === subjects ? words : 2 * compared < subjects ? `Only ${some} ${words}` : `${words} ${some}`;
    }
    const shown = document.createElement("div");
    shown.className = "gc-outcomes";
    if (from.value !== to.value && compared) for (const name of Object.keys(told.titles)) {
      const always = ["broken", "exposed", "fixed", "still"].includes(name);
      if (always || counts[name]) shown.append(part(name, groups[name], counts[name]));
    }
    outcome.replaceChildren(sentence, ...(shown.childElementCount ? [shown] : []));
  }
  if (from) {
    from.addEventListener("change", upgrade);
    to.addEventListener("change", upgrade);
  }

  // Paper shows what is folded away.
  let closed = [];
  addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach((node) => { node.open = true; }); });
  addEventListener("afterprint", () => { closed.forEach((node) => { node.open = false; }); });
});
