// The editor of one answer: the text, how each channel would show it, what differs, and asking for approval.
import { button, composing, element, field, labelled, notice } from "../page.js";
import { post } from "../api.js";
import { go } from "./shell.js";
import { diff, history } from "./answers.js";

const CHANNELS = { web: "网页", wechat: "微信", telegram: "Telegram" };
const WAIT = 300;

export async function editor(page, kind, name, found) {
  const entry = found.entries[kind].find((one) => one.name === name);
  const open = found.open.find((change) => change.kind === kind && change.name === name);
  if (name && !entry && kind === "response") { page.replaceChildren(element("p", "hint", "没有这句话。"), back()); return; }
  const title = entry ? entry.title : "新增";
  const head = element("div", "head");
  head.append(back(), element("h1", "", title), element("span", "small", name && name !== title ? name : found.kinds[kind].title));
  const side = element("div", "side");
  const parts = kind === "response" ? response(entry) : words(kind, name, entry);
  const form = element("form", "card"), wrong = element("p", "wrong"), send = element("button", "main", "提交审批");
  const why = field("text", "为什么改"), at = field("datetime-local", "何时生效");
  at.required = false;
  wrong.setAttribute("role", "status");
  form.append(...parts.fields, labelled("为什么改", why), labelled("何时生效（不填：批准后立即）", at), wrong, send);
  if (found.kinds[kind].trained) form.append(element("p", "small", "写入词表后，要到下次训练才会用上。"));
  if (open) { send.disabled = true; wrong.textContent = "这一条已有修改在等待处理，先处理完再改。"; }

  let timer = 0, turn = 0;
  const draft = () => ({ kind, name: parts.name(), content: parts.content() });
  const look = async () => {
    const mine = ++turn, body = draft();
    if (!body.name) return;
    let shown;
    try { shown = await post("/trainer/answers/preview", body, { quiet: true }); } catch (error) { if (mine === turn) wrong.textContent = error.message; return; }
    if (mine !== turn || !page.isConnected) return;
    parts.variables?.(shown.variables);
    const same = JSON.stringify(body.content) === JSON.stringify(entry?.content ?? null);
    if (!open) { wrong.textContent = same ? "" : shown.wrong; send.disabled = same || Boolean(shown.wrong); }
    side.replaceChildren(...previews(shown.channels), ...(same ? [] : [changes(shown.diff)]));
  };
  form.addEventListener("input", (event) => { if (composing(event)) return; clearTimeout(timer); timer = setTimeout(look, WAIT); });
  form.addEventListener("compositionend", () => { clearTimeout(timer); timer = setTimeout(look, WAIT); });
  const propose = async (content) => {
    const body = { ...draft(), content, why: why.value, effective_at: at.value ? new Date(at.value).toISOString() : null };
    await post("/trainer/answers/changes", body);
    notice("已提交，等另一位训练师批准。");
    go("answers");
  };
  form.onsubmit = (event) => { event.preventDefault(); propose(parts.content()).catch(() => {}); };
  if (entry && kind !== "response" && !open) form.append(button("删除这个词", "", () => { if (form.reportValidity()) propose(null).catch(() => {}); }));
  const both = element("div", "editing");
  both.append(form, side);
  page.replaceChildren(head, both);
  send.disabled ||= Boolean(entry);
  await look();
  if (name) page.append(await history(name));
}
const back = () => button("← 所有答案", "quiet", () => go("answers"));

function response(entry) {
  const text = element("textarea"), names = element("div", "chips"), titles = entry.content.buttons.map((one) => { const made = field("text", "按钮上的字", one.title); made.maxLength = 20; return made; });
  Object.assign(text, { id: "answer", rows: 6, required: true, value: entry.content.text });
  const fields = [labelled("回答", text), names];
  if (titles.length) {
    const group = element("fieldset"), legend = element("legend", "", "按钮上的字");
    group.append(legend, ...titles);
    fields.push(group);
  }
  return {
    fields,
    name: () => entry.name,
    content: () => ({ text: text.value.trim(), buttons: entry.content.buttons.map((one, i) => ({ title: titles[i].value, payload: one.payload })) }),
    /** Buttons that put a variable where the cursor is. */
    variables: (given) => {
      if (names.children.length || !given.length) return;
      names.append(element("span", "small", "要填的内容，都要留着："), ...given.map((one) => button(`{${one.name}} ${one.means}`, "", () => {
        text.setRangeText(`{${one.name}}`, text.selectionStart, text.selectionEnd, "end");
        text.focus();
        text.dispatchEvent(new Event("input", { bubbles: true }));
      })));
    },
  };
}
function words(kind, name, entry) {
  const word = field("text", kind === "synonym" ? "标准词" : "词", name), fields = [labelled(kind === "synonym" ? "标准词" : "词", word)];
  word.readOnly = Boolean(entry);
  if (kind === "word") {
    const times = field("number", "词频", entry?.content.times ?? 20000);
    Object.assign(times, { min: 1, max: 10000000 });
    fields.push(labelled("词频（越大越不会被拆开，常用20000）", times));
    return { fields, name: () => word.value.trim(), content: () => ({ times: Number(times.value) }) };
  }
  const others = element("textarea");
  Object.assign(others, { rows: 4, required: true, value: entry?.content.words.join(" ") ?? "" });
  fields.push(labelled("也说成（用空格隔开）", others));
  return { fields, name: () => word.value.trim(), content: () => ({ words: others.value.split(/\s+/).filter(Boolean) }) };
}

function previews(channels) {
  return Object.entries(channels).map(([channel, pieces]) => {
    const made = element("section", `card phone ${channel}`);
    made.append(element("h2", "", CHANNELS[channel] || channel));
    for (const piece of pieces) {
      const bubble = element("div", "bubble", piece.text), row = element("div", "chips");
      row.append(...piece.buttons.map((title) => element("span", "chip", title)));
      made.append(bubble, row);
    }
    return made;
  });
}
function changes(pieces) {
  const made = element("section", "card");
  made.id = "diff";
  made.append(element("h2", "", "改动"), diff(pieces));
  return made;
}
