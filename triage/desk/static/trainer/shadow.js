// 旁听: a version reads what customers say now and never answers; here is where it would have read otherwise.
import { ask, button, choice, element, labelled, notice, table, time } from "../page.js";
import { call, post } from "../api.js";
import { percent } from "./pictures.js";

const KINDS = { dialogue: "对话模型", triage: "分类模型" };

/** A card for the page 模型; `models` is what /trainer/models told. */
export async function shadow(models) {
  const card = element("section", "card");
  card.id = "shadow";
  await draw(card, models);
  return card;
}
async function draw(card, models) {
  let found;
  try { found = await call("/trainer/shadow", { quiet: true }); } catch (error) { card.replaceChildren(element("h2", "", "旁听"), element("p", "wrong", `没能读到旁听：${error.message}`)); return; }
  const head = element("div", "head"), again = () => draw(card, models), candidates = Object.entries(models).flatMap(([kind, told]) => told.versions.filter((one) => one.version !== told.current).map((one) => [`${kind}/${one.version}`, `${KINDS[kind]} ${one.version}`]));
  head.append(element("h2", "", "旁听"), element("span", "grow"));
  if (found.running) head.append(element("span", "small", `${found.running.version} 正在旁听，${time(found.running.begun * 1000)}开始`), button("停止旁听", "quiet", async () => { await post("/trainer/shadow/stop"); await again(); }));
  else {
    const start = button("让候选版本旁听", "quiet", () => begin(candidates, again));
    start.disabled = !candidates.length;
    head.append(start);
  }
  const parts = [head, element("p", "small", "候选版本在一旁读客户的真实消息，从不回答，最长一天。")];
  if (found.failed) parts.push(element("p", "wrong", found.failed));
  for (const one of found.items) {
    const body = element("details"), list = element("div");
    body.append(element("summary", "", `${KINDS[one.kind]} ${one.version}：${one.texts}句里${one.alike}句和现用的读得一样（${percent(one.alike / one.texts)}）`), list);
    body.ontoggle = () => { if (body.open) differing(list, one); };
    parts.push(body);
  }
  card.replaceChildren(...parts);
}
async function begin(candidates, again) {
  const version = choice(Object.fromEntries(candidates), "哪个版本");
  if (!await ask("让候选版本旁听", [labelled("哪个版本", version)], "开始旁听")) return;
  const [kind, ...name] = version.value.split("/");
  await post("/trainer/shadow", { kind, version: name.join("/") });
  notice("开始旁听，模型载入要几秒。");
  await again();
}
async function differing(list, one) {
  const found = await call(`/trainer/shadow/${one.kind}/${encodeURIComponent(one.version)}`), word = (name) => found.names[name] || name;
  if (!found.items.length) { list.replaceChildren(element("p", "hint", "读得全都一样。")); return; }
  list.replaceChildren(table("读得不一样的消息", ["客户说", "现用版本", "旁听版本", "时间"], found.items.map((row) => [row.text, `${word(row.live)} ${percent(row.live_confidence)}`, `${word(row.read)} ${percent(row.confidence)}`, time(row.at)])));
}
