"use strict";
// Everything from the data is written by textContent, never as markup.
const data = JSON.parse(document.getElementById("items").textContent);
const find = (id) => document.getElementById(id);
const [task, model, kind, words] = ["task", "model", "kind", "words"].map(find);
const STEP = 30;
let shown = STEP;

const make = (tag, text, name) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
};

const result = (item, place) => {
  const before = item.answers[0], after = item.answers[place];
  if (!before || !after) return "";
  const [was, is] = [before[0] === item.gold, after[0] === item.gold];
  return is === was ? (is ? "right" : "wrong") : is ? "won" : "lost";
};

const fits = (item) =>
  (!task.value || item.task === task.value) &&
  (!kind.value || result(item, Number(model.value)) === kind.value) &&
  (!words.value || (item.prompt + "\n" + item.choices.join("\n")).includes(words.value));

const card = (item) => {
  const place = Number(model.value), how = result(item, place);
  const box = make("article", undefined, how);
  const name = [item.task, "row " + item.doc, item.item, how].filter(Boolean).join(" · ");
  const prompt = make("div", item.prompt, "prompt");
  prompt.lang = "ko";
  const table = make("table"), head = make("tr");
  ["choice", data.models[0], data.models[place]].forEach((text) => head.append(make("th", text)));
  table.append(head);
  item.choices.forEach((choice, index) => {
    const row = make("tr");
    row.append(make("td", choice.trim() + (index === item.gold ? " ✓" : ""), index === item.gold ? "right" : ""));
    for (const answer of [item.answers[0], item.answers[place]]) {
      const chosen = answer && answer[0] === index;
      row.append(make("td", answer ? answer[1][index].toFixed(3) : "–", "number" + (chosen ? " chosen" : "")));
    }
    table.append(row);
  });
  box.append(make("h3", name), prompt, table);
  return box;
};

const draw = () => {
  const all = data.items.filter(fits);
  find("list").replaceChildren(...all.slice(0, shown).map(card));
  find("count").textContent = all.length + " items, " + Math.min(shown, all.length) + " shown";
  find("more").hidden = all.length <= shown;
};

const again = () => { shown = STEP; draw(); };
[task, model, kind].forEach((one) => one.addEventListener("change", again));
words.addEventListener("input", again);
find("more").addEventListener("click", () => { shown += STEP; draw(); });
draw();
