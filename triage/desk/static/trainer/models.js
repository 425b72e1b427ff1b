// 模型: train, see how good, compare with the current one, take into service, go back.
import { $, area, ask, button, choice, element, field, labelled, notice, table, time } from "../page.js";
import { call, desk, post } from "../api.js";
import { broken, go } from "./shell.js";
import { shadow } from "./shadow.js";
import { confusion, intervals, percent, reliability } from "./pictures.js";

const KINDS = { dialogue: "对话模型", triage: "分类模型" };
const SETS = { frozen: "测试集", robust: "错别字和口音" };
const STATES = { running: "进行中", done: "完成", refused: "数据要先改", failed: "失败", cancelled: "已取消" };
let page, timer = 0, watched = null;

export async function open(section, path) {
  page = section;
  const [kind, version] = path.split("/");
  if (kind in KINDS && version) return detail(kind, decodeURIComponent(version));
  await overview();
}
export function leave() { clearTimeout(timer); watched = null; }
export const keys = [["t", "开始训练", () => $("train")?.click()]];

async function overview() {
  let models, jobs;
  try { [models, jobs] = await Promise.all([call("/trainer/models", { quiet: true }), call("/trainer/jobs", { quiet: true })]); } catch (error) { page.replaceChildren(broken(`没能读到模型：${error.message}`, overview)); return; }
  if (!page.isConnected) return;
  const head = element("div", "head"), train = button("开始训练 t", "main", () => begin(jobs.expected_seconds));
  train.id = "train";
  head.append(element("h1", "", "模型"), element("span", "grow"), train);
  const job = element("section", "card job");
  job.id = "job";
  job.setAttribute("aria-label", "训练进度");
  job.hidden = true;
  page.replaceChildren(head, job, ...Object.keys(KINDS).map((kind) => kindCard(kind, models[kind])), await shadow(models));
  if (jobs.items.length) watch(jobs.items[0].id, jobs.items[0]);
}
async function begin(seconds) {
  const both = choice({ both: "对话模型和分类模型", dialogue: "只训练对话模型", triage: "只训练分类模型" }, "训练哪个模型");
  const text = element("p", "", `会先把已确认的标注写进训练数据，再训练和评测，大约${minutes(seconds)}。不影响正在进行的对话，随时可以取消。`);
  if (!await ask("开始训练", [text, labelled("训练哪个", both)], "开始")) return;
  const job = await post("/trainer/jobs", { kinds: both.value === "both" ? Object.keys(KINDS) : [both.value] });
  watch(job.id, job);
}
const minutes = (seconds) => seconds < 60 ? `${Math.max(1, Math.round(seconds))}秒` : `${Math.floor(seconds / 60)}分${Math.round(seconds % 60)}秒`;

/** Follows a job until it has ended; then the versions are read anew. */
async function watch(id, known) {
  clearTimeout(timer);
  watched = id;
  let job = known;
  if (!job) {
    try { job = await call(`/trainer/jobs/${id}`, { quiet: true }); } catch { timer = setTimeout(() => watch(id), 2000); return; }
    if (watched !== id || !page.isConnected) return;
  }
  const was = $("job")?.dataset.state;
  drawJob(job);
  if (job.state === "running") timer = setTimeout(() => watch(id), 1000);
  else if (was === "running") { notice(job.state === "done" ? "训练完成。" : `训练${STATES[job.state]}。`); await overview(); }
}
function drawJob(job) {
  const card = $("job");
  if (!card) return;
  card.hidden = false;
  card.dataset.state = job.state;
  $("train").disabled = job.state === "running";
  const title = element("h2", "", job.state === "running" ? `正在训练：${job.step || "准备"}` : `最近一次训练：${STATES[job.state]}`);
  const who = element("p", "small", `${job.author} ${time(job.begun * 1000)}开始${job.ended ? `，用了${minutes(job.ended - job.begun)}` : ""}`);
  const parts = [title, who];
  if (job.state === "running") {
    const bar = element("progress");
    Object.assign(bar, { max: 1, value: job.share });
    bar.setAttribute("aria-label", "训练进度");
    const left = element("span", "", `${Math.round(100 * job.share)}%，还要约${minutes(job.seconds_left)}`), line = element("div", "keep");
    left.setAttribute("role", "status");
    left.id = "left";
    line.append(bar, left, button("取消", "quiet", () => cancel(job.id)));
    parts.push(line);
  }
  if (job.why) parts.push(element("p", "wrong why", job.why));
  if (job.notes.length) { const list = element("ul", "notes"); list.append(...job.notes.map((line) => element("li", "", line))); parts.push(list); }
  const steps = element("details"), list = element("ol", "small");
  list.append(...job.steps.map((step) => element("li", "", `${step.name}${step.seconds === null ? "" : `：${minutes(step.seconds)}`}`)));
  steps.append(element("summary", "", "步骤和记录"), list, button("看记录", "link", async () => { const log = element("pre", "log-text", (await call(`/trainer/jobs/${job.id}`)).log || "（空）"); log.tabIndex = 0; steps.append(log); }));
  steps.open = Boolean(card.querySelector("details[open]"));
  card.replaceChildren(...parts, steps);
}
async function cancel(id) {
  if (!await ask("取消训练？", [element("p", "", "已经训练的部分不保留，现用模型不变。")], "取消训练")) return;
  await post(`/trainer/jobs/${id}/cancel`);
  watch(id);
}
function kindCard(kind, told) {
  const card = element("section", "card"), head = element("div", "head"), current = told.versions.find((one) => one.version === told.current);
  card.id = `kind-${kind}`;
  const back = button("退回上一版", "quiet", () => rollback(kind));
  back.disabled = !told.before;
  head.append(element("h2", "", KINDS[kind]), element("span", "grow"), back);
  card.append(head, element("p", "", current ? `现用版本：${current.version}` : "还没有现用版本。"));
  const shown = told.versions.slice(0, 12);
  card.append(shown.length ? table("版本", ["版本", "训练时间", "测试集F1", "错别字和口音F1", "安全句", "纠正过的句子", "p95毫秒", "操作"], shown.map((one) => row(kind, one, told.current))) : element("p", "hint", "还没有训练过，按“开始训练”。"));
  if (told.history.length) {
    const past = element("details"), list = element("ol", "small history");
    list.append(...told.history.slice(0, 30).map((one) => element("li", "", `${time(one.at)} ${one.author} ${one.kind === "rollback" ? "退回" : "上线"} ${one.version}${one.why ? `：${one.why}` : ""}`)));
    past.append(element("summary", "", "上线记录"), list);
    card.append(past);
  }
  return card;
}
function row(kind, one, current) {
  const acts = element("span", "keep"), now = one.version === current, scores = one.scores;
  if (scores) acts.append(button(now ? "看报告" : "看报告和比较", "link", () => go("models", `${kind}/${encodeURIComponent(one.version)}`)));
  else acts.append(button("评测", "link", () => evaluate(kind, one.version)));
  if (!now && scores) acts.append(button("上线", "link promote", () => promote(kind, one.version)));
  const name = element("span", "", one.version);
  if (now) name.append(" ", element("span", "chip", "现用"));
  return [name, one.created ? time(one.created) : "—", ...(scores ? [percent(scores.frozen.value), percent(scores.robust.value), `${scores.danger.right}/${scores.danger.of}`, scores.corrected[1] ? `${scores.corrected[0]}/${scores.corrected[1]}` : "—", scores.p95_ms.toFixed(1)] : ["还没有评测", "", "", "", ""]), acts];
}
async function evaluate(kind, version) {
  const job = await post("/trainer/evaluate", { kind, version });
  if (!$("job")) await overview();
  watch(job.id, job);
}
async function rollback(kind) {
  if (!await ask(`退回${KINDS[kind]}？`, [element("p", "", "回到上一个上线的版本，几秒内生效，正在进行的对话不会中断。")], "退回")) return;
  const found = await post("/trainer/rollback", { kind });
  notice(`已退回${found.current}。`);
  await overview();
}
async function promote(kind, version) {
  const found = await call(`/trainer/compare?kind=${kind}&version=${encodeURIComponent(version)}`);
  const why = field("text", "为什么上线（可不填）"), person = field("text", "责任人", desk.me.username), reason = area("理由，至少5个字");
  why.required = false;
  reason.minLength = 5;
  const parts = [element("p", "verdict", found.verdict)];
  if (found.refusals.length) parts.push(element("p", "wrong", "这个版本比现用的差。确要上线，请写明谁负责、为什么，会记入上线记录和审计。"), labelled("责任人", person), labelled("理由", reason));
  else parts.push(labelled("说明", why));
  if (!await ask(`${version} 上线？`, parts, found.refusals.length ? "仍然上线" : "上线")) return;
  await post("/trainer/promote", { kind, version, why: why.value, override: found.refusals.length ? { person: person.value, reason: reason.value } : null });
  notice("已上线，几秒内生效。", "退回", () => rollback(kind), 12);
  await overview();
}
async function detail(kind, version) {
  const address = `kind=${kind}&version=${encodeURIComponent(version)}`;
  let report, found;
  try { report = await call(`/trainer/models/${kind}/${encodeURIComponent(version)}`, { quiet: true }); found = await call(`/trainer/compare?${address}`, { quiet: true }).catch(() => null); } catch (error) {
    const parts = [broken(error.message, () => detail(kind, version))];
    if (error.status === 409) parts.push(button("评测这个版本", "main", () => evaluate(kind, version)));
    page.replaceChildren(...parts, button("← 所有模型", "quiet", () => go("models")));
    return;
  }
  const head = element("div", "head");
  head.append(button("← 所有模型", "quiet", () => go("models")), element("h1", "", `${KINDS[kind]} ${version}`), element("span", "grow"));
  if (found && found.current !== version) head.append(button("上线", "main promote", () => promote(kind, version)));
  const verdict = element("p", "verdict", found?.verdict || "没有可比较的现用版本。"), set = { now: "frozen" }, chips = element("div", "chips"), pictures = element("div", "pictures");
  const draw = () => { for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.set === set.now)); pictures.replaceChildren(...drawn(report, set.now)); };
  chips.append(...Object.entries(SETS).map(([name, title]) => { const made = button(title, "", () => { set.now = name; draw(); }); made.dataset.set = name; return made; }));
  page.replaceChildren(head, verdict, ...(found && found.current !== version ? [comparison(found)] : []), chips, pictures);
  draw();
}
function drawn(report, set) {
  const figures = report.figures[set], word = (name) => report.names[name] || name;
  const tiles = element("div", "figures"), tile = (name, value, note) => { const made = element("div", "figure"); made.append(element("span", "small", name), element("strong", "", value), element("span", "small", note)); return made; };
  const between = (one) => `95%区间 ${percent(one.low)}–${percent(one.high)}`;
  tiles.append(tile("读对的句子", percent(figures.accuracy.value), `${figures.accuracy.right}/${figures.accuracy.of}，${between(figures.accuracy)}`), tile("各类平均F1", percent(figures.macro_f1.value), between(figures.macro_f1)),
    tile("认出的安全句", `${figures.danger.right}/${figures.danger.of}`, "一句都不该漏"), tile("把握误差", percent(figures.calibration.ece), "越小，模型说的把握越可信"), tile("读一句的时间", `${report.latency.p95_ms.toFixed(1)}毫秒`, "95%的句子不超过"));
  const [passed, of] = report.passed;
  if (of) tiles.append(tile("对话", `通过 ${passed} / ${of}`, "整段说完，每句都答对"));
  const rows = Object.entries(figures.classes).filter(([, one]) => one.support).map(([name, one]) => ({ name: word(name), ...one.f1, one, said: `${word(name)}：F1 ${percent(one.f1.value)}（${percent(one.f1.low)}–${percent(one.f1.high)}），查准${percent(one.precision.value)}，查全${percent(one.recall.value)}，${one.support}句` })).sort((a, b) => a.value - b.value);
  const card = (title, ...parts) => { const made = element("section", "card"); made.append(element("h2", "", title), ...parts); return made; };
  const whole = (title, ...parts) => { const made = card(title, ...parts); made.classList.add("whole"); return made; };
  const wrong = figures.confusions.filter(([wanted, read]) => wanted !== read).slice(0, 8), list = element("ol", "small");
  list.append(...wrong.map(([wanted, read, n]) => element("li", "", `${word(wanted)}读成${word(read)}：${n}句`)));
  const all = element("details");
  all.append(element("summary", "", "每一类的数字"), table("查准、查全和F1，括号里是95%区间", ["类别", "句数", "查准率", "查全率", "F1"], rows.map((row) => [row.name, row.one.support, ...[row.one.precision, row.one.recall, row.one.f1].map((one) => `${percent(one.value)}（${percent(one.low)}–${percent(one.high)}）`)])));
  return [tiles, card("最弱的十五类（F1和95%区间）", intervals("最弱的类别", rows.slice(0, 15)), all), card("把握可不可信", reliability(figures.calibration), element("p", "small", "点在斜线上：说几成把握，就对几成。点在线下：太自信。竖线是95%区间。")), whole("哪些会弄混", confusion(figures.confusions, report.names), wrong.length ? list : element("p", "hint", "没有读错的句子。"))];
}
/** Rows that differ, by what became of them. */
function comparison(found) {
  const groups = { wins: ["多认对", found.wins], losses: ["少认对", found.losses], endangered: ["安全句不再认得", found.endangered], broken: ["纠正过又读错", found.broken], dialogues: ["对话没通过", found.dialogues] }, word = (name) => found.names[name] || name;
  const card = element("section", "card"), chips = element("div", "chips"), body = element("div");
  card.id = "comparison";
  const columns = {
    rows: [["句子", "应读作", "现用版本", "这个版本"], (one) => [one.text, word(one.wanted), `${word(one.current)} ${percent(one.current_confidence)}`, `${word(one.candidate)} ${percent(one.candidate_confidence)}`]],
    broken: [["句子", "应读作", "这个版本"], (one) => [one.text, word(one.wanted), `${word(one.read)}${one.missed.length ? `，缺${one.missed.join("、")}` : ""}`]],
    dialogues: [["对话", "第几句", "客户说", "哪里不对", "现用版本"], (one) => [one.name, one.turn, one.said, one.why.join("；"), one.current ? "通过" : "也没通过"]],
  };
  const show = (name) => {
    for (const chip of chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.group === name));
    const rows = groups[name][1];
    const [head, cells] = columns[name] || columns.rows;
    body.replaceChildren(rows.length ? table(groups[name][0], head, rows.slice(0, 300).map(cells)) : element("p", "hint", "没有这样的。"));
  };
  chips.append(...Object.entries(groups).map(([name, [title, rows]]) => { const made = button(`${title} ${rows.length}`, "", () => show(name)); made.dataset.group = name; return made; }));
  const chance = Object.entries(found.p).map(([set, p]) => `${SETS[set]} p=${p < 0.001 ? "<0.001" : p.toFixed(3)}`).join("，");
  card.append(element("h2", "", `和现用版本 ${found.current} 逐句比较`), element("p", "passed", found.passed), chips, body, element("p", "small", `McNemar精确检验：${chance}。p小于0.05，差别才不像是偶然。`));
  show("wins");
  return card;
}
