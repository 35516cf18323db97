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
  const [was, is] = [item.values[0], item.values[place]];
  if (was === null || is === null) return "";
  if (is !== was) return is > was ? "won" : "lost";
  return is === 1 ? "right" : is === 0 ? "wrong" : "same";
};

const texts = (item) => item.answers.flatMap((each) => (each || []).filter((one) => !Array.isArray(one)));

const fits = (item) =>
  (!task.value || item.task === task.value) &&
  (!kind.value || result(item, Number(model.value)) === kind.value) &&
  (!words.value || (item.prompt + "\n" + item.choices.join("\n") + "\n" + texts(item).join("\n")).includes(words.value));

const isChosen = (answer) => Array.isArray(answer);

const choiceTable = (item, place) => {
  const table = make("table"), head = make("tr");
  const columns = [0, place].flatMap((model) =>
    (item.answers[model] || []).map((answer, run, all) =>
      [data.models[model] + (all.length > 1 ? " · run " + (run + 1) : ""), answer]));
  head.append(make("th", "choice"), ...columns.map(([name]) => make("th", name)));
  table.append(head);
  item.choices.forEach((choice, index) => {
    const row = make("tr"), isGold = index === item.gold;
    row.append(make("td", choice.trim() + (isGold ? " ✓" : ""), isGold ? "right" : ""));
    for (const [, answer] of columns) {
      const figure = isChosen(answer) ? answer[1][index].toFixed(3) : "–";
      row.append(make("td", figure, "number" + (isChosen(answer) && answer[0] === index ? " chosen" : "")));
    }
    table.append(row);
  });
  return table;
};

const textTable = (item, place) => {
  const table = make("table", undefined, "texts"), head = make("tr"), row = make("tr");
  for (const model of [0, place]) {
    const value = item.values[model];
    head.append(make("th", data.models[model] + (value === null ? "" : ": " + Number(value.toFixed(3)))));
    const cell = make("td");
    cell.lang = "ko";
    for (const answer of item.answers[model] || []) {
      const text = isChosen(answer) ? (item.choices[answer[0]] || "").trim() : answer;
      cell.append(make("div", text, "answer"));
    }
    row.append(cell);
  }
  table.append(head, row);
  return table;
};

const card = (item) => {
  const place = Number(model.value), how = result(item, place);
  const box = make("article", undefined, how);
  const name = [item.task, "row " + item.doc, item.item, how].filter(Boolean).join(" · ");
  const prompt = make("div", item.prompt, "prompt");
  prompt.lang = "ko";
  box.append(make("h3", name), prompt);
  if (item.target) box.append(make("p", "right: " + item.target, "target"));
  const shown = [0, place].flatMap((index) => item.answers[index] || []);
  box.append(shown.every(isChosen) && item.gold !== null ? choiceTable(item, place) : textTable(item, place));
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

// Rows of a group are folded behind the group's own row.
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.querySelectorAll("tr[data-depth]")];
  const depth = (row) => Number(row.dataset.depth);
  const inside = (row) => {
    const after = rows.slice(rows.indexOf(row) + 1);
    const end = after.findIndex((one) => depth(one) <= depth(row));
    return end < 0 ? after : after.slice(0, end);
  };
  for (const row of rows.filter((one) => "folds" in one.dataset)) {
    const button = make("button", "+", "fold");
    button.type = "button";
    button.title = "show or hide the members of the group";
    const fold = (hide) => {
      button.textContent = hide ? "+" : "−";
      for (const one of inside(row)) one.hidden = hide;
    };
    button.addEventListener("click", () => fold(button.textContent === "−"));
    row.cells[0].prepend(button);
    fold(true);
  }
}
