// Conveniences only: every page works without this file.
const editing = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || editing(event.target)) return;
  const wanted = [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key);
  if (wanted) {
    event.preventDefault();
    if (wanted.matches("input")) wanted.focus();
    else wanted.click();
    return;
  }
  if (event.key !== "j" && event.key !== "k") return;
  const links = [...document.querySelectorAll(".rows .id, tbody a.mono")];
  const at = links.indexOf(document.activeElement);
  const next = links[event.key === "j" ? at + 1 : Math.max(0, at - 1)];
  if (next) next.focus();
});

for (const select of document.querySelectorAll("select[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
  const button = select.form.querySelector("button");
  if (button) button.hidden = true;
}

// In a static site there is no server to search: the entries of the page are filtered here.
for (const box of document.querySelectorAll("[data-filter]")) {
  const entries = [...document.querySelectorAll(".browse .rows > li, .browse article, .browse tbody > tr:not(article tr)")];
  const texts = entries.map((one) => one.textContent.normalize("NFC").toLowerCase());
  box.addEventListener("input", () => {
    const words = box.value.normalize("NFC").toLowerCase();
    entries.forEach((one, at) => { one.hidden = !texts[at].includes(words); });
    const shown = entries.filter((one) => !one.hidden).length;
    box.parentElement.querySelector("[data-matches]").textContent = words ? `${shown} / ${entries.length}` : "";
  });
}

// The editor of a template: rendered while one types, the last request wins.
for (const form of document.querySelectorAll("form[data-draft]")) {
  let last = 0;
  const show = async () => {
    const mine = ++last;
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (!answer.ok || mine !== last) return;
    const found = await answer.json();
    for (const box of form.querySelectorAll("[data-text]")) box.textContent = found.texts[box.dataset.text] ?? "";
    const items = [...found.problems, ...found.findings].map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    });
    form.querySelector("[data-problems]").replaceChildren(...items);
    form.querySelector("[data-yaml]").textContent = found.yaml;
  };
  let waiting;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 150);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  show();
}
