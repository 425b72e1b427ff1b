// 数据: how many rows there are of what, what is wrong with them, rows one by one (rows.js), from and to other tools.
import { $, button, choice, element, labelled, notice } from "../page.js";
import { call, post } from "../api.js";
import { broken } from "./shell.js";
import * as rows from "./rows.js";

const KINDS = { utterances: "对话句子", complaints: "诉求" };
const ENDINGS = { yml: "rasa", yaml: "rasa", csv: "csv", jsonl: "doccano", json: "label_studio" };
const LARGEST = 20_000_000;
const MOST = 30;
let page;

export async function open(section) {
  page = section;
  page.replaceChildren(element("p", "hint", "正在读取…"));
  await draw();
}
export const keys = [["i", "导入", () => $("file")?.click()], ...rows.keys];

async function draw() {
  let found;
  try { found = await call("/trainer/data", { quiet: true }); } catch (error) { page.replaceChildren(broken(`没能读到数据：${error.message}`, draw)); return; }
  if (!page.isConnected) return;
  const counts = element("div", "counts");
  counts.append(card("每个意图的句子", bars(found.intents)), card("每个类别的诉求", bars(found.categories)));
  page.replaceChildren(element("h1", "", "数据"), health(found), rows.card(found), exchange(found.formats), counts);
}
function card(title, ...parts) {
  const made = element("section", "card");
  made.append(element("h2", "", title), ...parts);
  return made;
}

function health(found) {
  const blocking = found.findings.filter((one) => one.blocks), others = found.findings.filter((one) => !one.blocks);
  const made = card("训练前检查");
  made.id = "health";
  if (!found.findings.length) made.append(element("p", "", "没有发现问题，可以训练。"));
  if (blocking.length) made.append(element("p", "wrong", `有${blocking.length}处问题挡住训练，改好后才能开始。`), list(blocking));
  if (others.length) made.append(element("p", "", `${blocking.length ? "另有" : "可以训练，"}${others.length}处提醒。`), list(others));
  return made;
}
function list(findings) {
  const made = element("ul", "findings");
  for (const one of findings.slice(0, MOST)) {
    const line = element("li");
    line.append(element("span", one.blocks ? "chip stops" : "chip", one.blocks ? "挡住训练" : "提醒"), element("p", "", `${one.what}。`), element("p", "small", `${one.place}　怎么办：${one.todo}。`));
    made.append(line);
  }
  if (findings.length > MOST) made.append(element("li", "small", `还有${findings.length - MOST}处，先改好上面的。`));
  return made;
}

/** Rows by label, the longest bar full. */
function bars(rows) {
  const most = Math.max(1, ...rows.map((row) => row.rows)), made = element("ul", "bars");
  for (const row of [...rows].sort((a, b) => b.rows - a.rows)) {
    const line = element("li"), track = element("span", "track"), bar = element("span", "bar");
    bar.style.width = `${(100 * row.rows) / most}%`;
    track.setAttribute("aria-hidden", "true");
    track.append(bar);
    line.append(element("span", "", row.title), track, element("span", "number", row.rows));
    line.title = row.name;
    made.append(line);
  }
  return made;
}

function exchange(formats) {
  const out = choice(formats, "导出格式"), rows = choice(KINDS, "导出哪种数据");
  const leave = button("导出", "", async () => {
    const address = `/api/trainer/data/export?format=${out.value}&rows=${rows.value}`;
    if (out.value === "rasa" && rows.value === "complaints") return notice("Rasa 格式只装对话句子，诉求请选别的格式。");
    download(address);
  });
  const config = button("Label Studio 标注界面", "link", () => download(`/api/trainer/data/label-studio-config?rows=${rows.value}`));
  const file = element("input");
  Object.assign(file, { type: "file", id: "file", accept: ".yml,.yaml,.csv,.jsonl,.json" });
  const shown = element("div");
  shown.id = "preview";
  shown.setAttribute("aria-live", "polite");
  file.onchange = () => { if (file.files[0]) preview(file.files[0], shown, formats).finally(() => { file.value = ""; }); };
  const going = element("div", "keep");
  going.append(rows, out, leave, config);
  const made = card("导入和导出", element("p", "small", "导入先预览，确认后才写入。支持 Rasa YAML、CSV、doccano JSONL、Label Studio JSON。"), labelled("选择要导入的文件", file), shown, element("h3", "", "导出"), going);
  made.id = "exchange";
  return made;
}
function download(address) {
  const link = element("a");
  link.href = address;
  link.download = "";
  link.click();
}

async function preview(file, shown, formats) {
  const format = ENDINGS[file.name.split(".").pop().toLowerCase()];
  const say = (text) => shown.replaceChildren(element("p", "wrong", text));
  if (!format) return say("看不出是什么格式。文件名要以 .yml、.csv、.jsonl 或 .json 结尾。");
  if (file.size > LARGEST) return say("文件太大，请分成 20 MB 以内的几份。");
  shown.replaceChildren(element("p", "small", `正在读取 ${file.name}…`));
  const body = { format, name: file.name, content: await encoded(file) };
  let found;
  try { found = await post("/trainer/data/preview", body, { quiet: true }); } catch (error) { return say(`没有写入。${error.message}。`); }
  const parts = [element("p", "", `${file.name}（${formats[format]}）：新增${found.added}条，改标注${found.changed}条，没有变化${found.same}条${found.kept_out ? `，不写入${found.kept_out}条` : ""}。`)];
  parts.push(...group("新增", found.added, found.rows.added, (row) => row.label), ...group("改标注", found.changed, found.rows.changed, (row) => row.was.label === row.label ? `实体有改动（${row.label}）` : `${row.was.label} → ${row.label}`));
  parts.push(...group("不写入：和测试句太像，学了会让评测不准", found.kept_out, found.rows.kept_out, (row) => row.label));
  const acts = element("div", "keep"), write = button("写入训练数据", "main", async () => {
    write.disabled = true;
    try { await post("/trainer/data/import", { ...body, sha256: found.sha256 }); } catch { write.disabled = false; return; }
    notice("已写入，下次训练生效。");
    await draw();
  });
  write.id = "write";
  if (found.added + found.changed) acts.append(write);
  acts.append(button("取消", "quiet", () => shown.replaceChildren()));
  shown.replaceChildren(...parts, acts);
  if (write.isConnected) write.focus();
}
function group(title, count, rows, label) {
  if (!count) return [];
  const made = element("details"), lines = element("ul", "lines");
  made.open = count <= 10;
  made.append(element("summary", "", `${title} ${count}条`), lines);
  lines.append(...rows.map((row) => { const line = element("li", "", row.text); line.append(" ", element("span", "chip", label(row))); return line; }));
  if (count > rows.length) lines.append(element("li", "small", `只列出前${rows.length}条。`));
  return [made];
}
function encoded(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}
