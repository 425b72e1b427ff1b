// 标注: one message after another, by keyboard.
import { $, button, composing, element, notice, time } from "../page.js";
import { call, desk, post } from "../api.js";
import { SPEAKERS } from "../words.js";
import { broken, go } from "./shell.js";
import { Sentence } from "./sentence.js";
import { ACTIONS, KINDS, STATES, labelWords, matching, words } from "./words.js";

const LIKELY = 3, CATEGORY_KEYS = "abcdefghijklm", COMMON = [["u", "撤销上一条", undo], ["s", "跳过", skip], ["x", "不用标", () => save("dismiss")], ["Enter", "保存，下一条", () => save()]];
let root, known, item = null, coming = [], ahead = new Map(), skipped = new Set(), chosen = {}, sentence = null, busy = false, done = 0, began = 0;

export let keys = [];
export const more = [["Esc", "离开查找框"]];
export async function open(section, path) {
  root = section;
  [skipped, coming, ahead, done, began] = [new Set(), [], new Map(), 0, Date.now()];
  known = await words();
  if (path) await show(Number(path)); else await next();
}
async function fetched(id) {
  if (!ahead.has(id)) ahead.set(id, call(`/trainer/review/${id}`, { quiet: true }));
  const found = ahead.get(id);
  ahead.delete(id);
  return found;
}
async function next() {
  try {
    coming = coming.filter((one) => one.id !== item?.id && !skipped.has(one.id));
    if (!coming.length) coming = (await call(`/trainer/review?mine=true&limit=${50 + Math.min(150, skipped.size)}`, { quiet: true })).items.filter((one) => !skipped.has(one.id));
    if (!coming.length) return empty();
    await show(coming[0].id);
  } catch (error) { root.replaceChildren(broken(`没能读到下一条：${error.message}`, next)); }
}
function empty() {
  item = null;
  keys = [["u", "撤销上一条", undo]];
  const made = element("div", "hint");
  made.append(element("p", "", skipped.size ? `都看过了，跳过的${skipped.size}条还在待复核里。` : "没有要标的了。"), button("撤销上一条 u", "quiet", undo), button("回待复核", "quiet", () => go("review")));
  root.replaceChildren(element("h1", "", "标注"), made);
}
async function show(id) {
  let found;
  try { found = await fetched(id); } catch (error) { root.replaceChildren(broken(error.status === 404 ? "没有这一条。" : `没能读到这一条：${error.message}`, () => (error.status === 404 ? go("review") : show(id)))); return; }
  draw(found);
  const after = coming[coming.findIndex((one) => one.id === id) + 1];
  if (after && !ahead.has(after.id)) { const wait = call(`/trainer/review/${after.id}`, { quiet: true }); wait.catch(() => ahead.delete(after.id)); ahead.set(after.id, wait); }
}
/** `kept`: what I had chosen already, after somebody else changed the item. */
function draw(found, kept = null) {
  item = found;
  const first = kept || item.label || item.suggestion;
  chosen = item.kind === "dialogue" ? { intent: first.intent, entities: first.entities || [] } : { category: first.category, priority: first.priority };
  const parts = [head(), why(), around()];
  if (item.status === "disputed") parts.push(readings());
  parts.push(...(item.kind === "dialogue" ? dialogue() : triage()), foot());
  if (item.events.length) parts.push(history());
  root.replaceChildren(...parts);
  root.querySelector(".sentence")?.focus({ preventScroll: true });
}
function head() {
  const made = element("div", "head"), pace = done >= 5 ? `，每小时约${Math.round(done * 3600000 / (Date.now() - began))}条` : "";
  made.append(element("h1", "", "标注"), element("span", "chip", `${KINDS[item.kind]}，${STATES[item.status]}`), element("span", "small", `值 ${item.value.toFixed(1)}`), element("span", "grow"), element("span", "small", `本次已标${done}条${pace}`));
  return made;
}
function why() {
  const made = element("p", "why");
  made.append(...item.reasons.map((one) => element("span", one.points < 0 ? "chip weak" : "chip", one.words)));
  return made;
}
function around() {
  const made = element("ol", "around");
  made.setAttribute("aria-label", "前后对话");
  made.append(...item.around.map((one) => { const line = element("li", `${one.from}${one.this ? " this" : ""}`); line.append(element("span", "small", SPEAKERS[one.from] || one.from), element("span", "", one.text)); return line; }));
  return made;
}
function readings() {
  const made = element("section", "card");
  made.append(element("h2", "", "两人标得不同，请裁定"), ...item.readings.map((one, at) => { const pick = button("", "choice", () => take(at)); pick.append(element("kbd", "", 7 + at), element("span", "", ` ${one.reader}：${labelWords(one.label, known)}`)); return pick; }));
  return made;
}
function take(at) {
  const label = item.readings[at]?.label;
  if (label) draw(item, label);
}
function dialogue() {
  sentence = new Sentence(item.text, chosen.entities, known.entities, () => { chosen.entities = sentence.marks; });
  const likely = item.suggestion.ranking.slice(0, LIKELY), group = element("div", "choices"), finder = element("input"), found = element("ul", "found");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "意图");
  const mark = () => {
    for (const one of group.children) one.setAttribute("aria-pressed", String(one.dataset.intent === chosen.intent));
    $("chosen-intent").textContent = known.intent[chosen.intent] || "还没有选";
  };
  const pick = (intent) => { chosen.intent = intent; mark(); };
  group.append(...likely.map(([intent, confidence], at) => {
    const one = button("", "choice", () => { pick(intent); sentence.element.focus(); });
    one.dataset.intent = intent;
    one.append(element("kbd", "", at + 1), element("span", "", ` ${known.intent[intent] || intent} `), element("span", "small", `${Math.round(confidence * 100)}%`));
    return one;
  }));
  Object.assign(finder, { type: "search", placeholder: "查找意图 /：中文、英文或拼音首字母", id: "finder", autocomplete: "off" });
  finder.setAttribute("aria-label", "查找意图");
  finder.setAttribute("role", "combobox");
  finder.setAttribute("aria-controls", "found");
  finder.setAttribute("aria-expanded", "false");
  found.id = "found";
  found.setAttribute("role", "listbox");
  found.setAttribute("aria-label", "找到的意图");
  let at = 0, matches = [];
  const close = () => { found.hidden = true; finder.value = ""; finder.setAttribute("aria-expanded", "false"); finder.removeAttribute("aria-activedescendant"); sentence.element.focus(); };
  const list = () => {
    found.replaceChildren(...matches.map((one, place) => { const line = element("li", place === at ? "chosen" : "", `${one.title} ${one.name}`); line.id = `found-${place}`; line.setAttribute("role", "option"); line.setAttribute("aria-selected", String(place === at)); line.onpointerdown = (event) => { event.preventDefault(); pick(one.name); close(); }; return line; }));
    found.hidden = !matches.length;
    finder.setAttribute("aria-expanded", String(matches.length > 0));
    if (matches.length) finder.setAttribute("aria-activedescendant", `found-${at}`);
  };
  finder.oninput = (event) => { if (event.isComposing) return; at = 0; matches = finder.value ? matching(known.intents, finder.value).slice(0, 8) : []; list(); };
  finder.addEventListener("compositionend", () => finder.oninput({}));
  finder.onkeydown = (event) => {
    if (composing(event)) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); at = (at + (event.key === "ArrowDown" ? 1 : matches.length - 1)) % Math.max(1, matches.length); list(); }
    if (event.key === "Enter") { event.preventDefault(); if (matches[at]) { pick(matches[at].name); close(); } }
    if (event.key === "Escape") { event.preventDefault(); close(); }
  };
  found.hidden = true;
  const seek = element("div", "finder"), now = element("p", "now");
  now.append("意图：");
  const name = element("strong", "", known.intent[chosen.intent] || "还没有选");
  name.id = "chosen-intent";
  now.append(name);
  seek.append(finder, found);
  keys = [
    ...likely.map((_, place) => [String(place + 1), "选第几个建议", () => pick(likely[place][0])]), ...(item.status === "disputed" ? [["7", "用第一人的", () => take(0)], ["8", "用第二人的", () => take(1)]] : []),
    ["/", "查找意图", () => { finder.focus(); finder.select(); }], ["ArrowLeft", "光标左移，Shift 选字", (event) => sentence.move(-1, event.shiftKey)], ["ArrowRight", "光标右移，Shift 选字", (event) => sentence.move(1, event.shiftKey)],
    [".", "选下一处数字、月份或日期", () => sentence.next()], ...known.entities.map((one) => [one.key, `标为${one.title}`, () => sentence.mark(one.name)]), ["Delete", "去掉实体", () => sentence.unmark()], ["Backspace", "去掉实体", () => sentence.unmark()], ...COMMON,
  ];
  const box = element("section", "card");
  box.append(sentence.element, sentence.said, sentence.bar);
  queueMicrotask(mark);
  return [box, now, group, seek];
}
function triage() {
  const box = element("section", "card"), categories = element("div", "choices"), priorities = element("div", "choices"), text = element("p", "sentence plain", item.text);
  text.tabIndex = 0;
  const mark = () => { for (const one of [...categories.children, ...priorities.children]) one.setAttribute("aria-pressed", String(one.dataset.value === chosen.category || one.dataset.value === chosen.priority)); };
  const row = (place, label, name, all, letters) => {
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", label);
    place.append(...Object.entries(all).map(([value, title], at) => { const one = button("", "choice", () => { chosen[name] = value; mark(); text.focus(); }); one.dataset.value = value; one.append(element("kbd", "", letters[at]), element("span", "", ` ${title}`)); if (value === item.suggestion.category && item.suggestion.confidence) one.append(element("span", "small", ` ${Math.round(item.suggestion.confidence * 100)}%`)); return one; }));
  };
  row(categories, "类别", "category", known.categories, CATEGORY_KEYS);
  row(priorities, "优先级", "priority", Object.fromEntries(Object.entries(known.priorities).map(([key, title]) => [key, `${key} ${title}`])), "1234");
  const press = (name, all, letters) => Object.entries(all).map(([value, title], at) => [letters[at], title, () => { chosen[name] = value; mark(); }]);
  keys = [...press("category", known.categories, CATEGORY_KEYS), ...press("priority", known.priorities, "1234"), ...(item.status === "disputed" ? [["7", "用第一人的", () => take(0)], ["8", "用第二人的", () => take(1)]] : []), ...COMMON];
  box.append(text);
  mark();
  return [box, element("h2", "", "类别"), categories, element("h2", "", "优先级"), priorities];
}
function foot() {
  const made = element("div", "send foot"), save_ = button(item.status === "disputed" ? "裁定 Enter" : "保存 Enter", "main", () => save());
  save_.id = "save";
  made.append(save_, button("跳过 s", "quiet", skip), button("不用标 x", "quiet", () => save("dismiss")), button("撤销上一条 u", "quiet", undo));
  return made;
}
function history() {
  const made = element("details"), list = element("ol", "small");
  list.append(...item.events.map((one) => element("li", "", `${time(one.at)} ${one.actor} ${ACTIONS[one.action]}${one.label ? `：${labelWords(one.label, known)}` : ""}`)));
  made.append(element("summary", "", `记录 ${item.events.length}`), list);
  return made;
}
async function save(verb = item?.status === "disputed" ? "adjudicate" : "") {
  if (!item || busy) return;
  if (verb !== "dismiss" && item.kind === "dialogue" && !chosen.intent) return notice("请先选一个意图。");
  busy = true;
  const mine = { ...chosen };
  try {
    await post(`/trainer/labels/${item.id}${verb && `/${verb}`}`, verb === "dismiss" ? { base: item.version } : { base: item.version, ...mine }, { quiet: true });
    done += 1;
    ahead.delete(item.id);
    await next();
  } catch (error) {
    if (!error.found?.item) return notice(error.message);
    const by = error.found.changes.map((one) => `${one.actor === desk.me.username ? "您在别处" : one.actor}${ACTIONS[one.action]}${one.label ? `：${labelWords(one.label, known)}` : ""}`).join("；");
    notice(`这一条刚刚被改动（${by}）。您选的还在，看过再按 Enter。`, "跳过", skip, 12);
    draw(error.found.item, mine);
  } finally { busy = false; }
}
function skip() {
  if (!item || busy) return;
  skipped.add(item.id);
  next();
}
async function undo() {
  if (busy) return;
  busy = true;
  try {
    const found = await post("/trainer/labels/undo", {}, { quiet: true });
    done = Math.max(0, done - 1);
    coming = [found, ...coming.filter((one) => one.id !== found.id)];
    ahead.delete(found.id);
    await show(found.id);
    notice("已撤销。");
  } catch (error) { notice(error.message); } finally { busy = false; }
}
