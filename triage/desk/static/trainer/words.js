// The trainer's words: names of intents, entities, categories, priorities as the API tells them, read once.
import { call } from "../api.js";

let known = null;
export const KINDS = { dialogue: "对话", triage: "工单" };
export const STATES = { open: "待标注", second: "待第二人", disputed: "待裁定", labelled: "已标好", dismissed: "不用标", done: "已进数据" };
export const ACTIONS = { label: "标注", undo: "撤销", dismiss: "不用标", adjudicate: "裁定", accept: "写入数据", reopen: "又出错，重新打开" };
export async function words() {
  if (!known) {
    const found = await call("/trainer/words", { quiet: true });
    known = { ...found, intent: Object.fromEntries(found.intents.map((one) => [one.name, one.title])), entity: Object.fromEntries(found.entities.map((one) => [one.name, one.title])) };
  }
  return known;
}
/** Intents that fit what was typed: Chinese name, English name or pinyin initials; the best first. */
export function matching(intents, typed) {
  const said = typed.trim().toLowerCase();
  if (!said) return intents;
  const rank = (one) => {
    const forms = [one.title, one.initials, one.name, one.name.replaceAll("_", " ")];
    if (forms.includes(said)) return 0;
    if (forms.some((form) => form.startsWith(said))) return 1;
    return forms.some((form) => form.includes(said)) ? 2 : 3;
  };
  return intents.map((one) => [rank(one), one]).filter(([at]) => at < 3).sort((a, b) => a[0] - b[0]).map(([, one]) => one);
}
export function labelWords(label, known) {
  if (!label) return "";
  if (label.category) return `${known.categories[label.category]} ${label.priority} ${known.priorities[label.priority]}`;
  const chars = Array.from(label.text || "");
  return [known.intent[label.intent] || label.intent, ...(label.entities || []).map((one) => `${known.entity[one.entity]}“${chars.slice(one.start, one.end).join("")}”`)].join("，");
}
