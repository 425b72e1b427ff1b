// A sentence whose characters can be picked, by mouse or by keys, and marked as entities. Places count code points, as the API does.
import { button, element } from "../page.js";

const RUN = /[0-9０-９*＊.]+(?:[年月日号元块度]|点)?|(?:上上个?|上个?|这个?|本|下个?|去年)月|昨[天晚]|今[天晚]|明[天晚]|前天|后天|[一二三四五六七八九十百千零〇两]{2,}[元块]?/gu;

export class Sentence {
  /** `entities`: [{name, title, key}]; `changed` is called after every change. */
  constructor(text, marks, entities, changed) {
    this.chars = Array.from(text);
    this.marks = marks.map((one) => ({ entity: one.entity, start: one.start, end: one.end }));
    this.entities = entities;
    this.changed = changed;
    this.from = this.to = 0;
    this.element = element("div", "sentence");
    Object.assign(this.element, { tabIndex: 0 });
    this.element.setAttribute("role", "application");
    this.element.setAttribute("aria-label", "句子：左右键移动，按住 Shift 选字，再按实体的字母");
    this.element.append(...this.chars.map((char, at) => { const made = element("span", "char", char === "\n" ? "⏎" : char); made.dataset.at = at; return made; }));
    this.said = element("p", "small selection");
    this.said.setAttribute("role", "status");
    this.bar = element("div", "entity-bar");
    this.bar.setAttribute("role", "group");
    this.bar.setAttribute("aria-label", "实体");
    this.bar.append(...entities.map((one) => { const made = button("", "", () => { this.mark(one.name); this.element.focus(); }); made.dataset.entity = one.name; made.append(element("span", "", `${one.title} `), element("kbd", "", one.key)); return made; }), button("去掉 Del", "quiet", () => { this.unmark(); this.element.focus(); }));
    this.listen();
    this.draw();
  }
  listen() {
    let from = null;
    const at = (event) => { const found = document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".char"); return found && this.element.contains(found) ? Number(found.dataset.at) : null; };
    this.element.onpointerdown = (event) => {
      const place = at(event);
      if (place === null) return;
      event.preventDefault();
      this.element.focus();
      this.element.setPointerCapture(event.pointerId);
      const on = this.marks.find((one) => one.start <= place && place < one.end);
      from = place;
      if (on) this.select(on.start, on.end); else this.select(place, place + 1);
    };
    this.element.onpointermove = (event) => {
      const place = from === null ? null : at(event);
      if (place !== null && place !== from) this.select(Math.min(from, place), Math.max(from, place) + 1);
    };
    this.element.onpointerup = this.element.onpointercancel = () => { from = null; };
  }
  select(from, to) {
    this.from = Math.max(0, Math.min(from, this.chars.length));
    this.to = Math.max(0, Math.min(to, this.chars.length));
    this.draw();
  }
  /** One character on; `extend` keeps the other end. */
  move(step, extend) {
    const to = Math.max(0, Math.min(this.chars.length, this.to + step));
    if (extend) this.select(this.from, to);
    else this.select(this.from === this.to ? to : step > 0 ? Math.max(this.from, this.to) : Math.min(this.from, this.to), this.from === this.to ? to : step > 0 ? Math.max(this.from, this.to) : Math.min(this.from, this.to));
  }
  /** The next stretch that looks like a value: figures, a month, a day. */
  next() {
    const text = this.chars.join(""), runs = [];
    for (const hit of text.matchAll(RUN)) { const start = Array.from(text.slice(0, hit.index)).length; runs.push([start, start + Array.from(hit[0]).length]); }
    const after = runs.find(([start]) => start >= Math.max(this.from, this.to) && (this.from !== this.to || start >= this.to)) || runs[0];
    if (after) this.select(...after);
  }
  mark(entity) {
    const [start, end] = [Math.min(this.from, this.to), Math.max(this.from, this.to)];
    if (start === end) return;
    this.marks = [...this.marks.filter((one) => one.end <= start || one.start >= end), { entity, start, end }].sort((a, b) => a.start - b.start);
    this.draw();
    this.changed();
  }
  unmark() {
    const [start, end] = [Math.min(this.from, this.to), Math.max(this.from, this.to) + (this.from === this.to ? 1 : 0)];
    this.marks = this.marks.filter((one) => one.end <= start || one.start >= end);
    this.draw();
    this.changed();
  }
  draw() {
    const [start, end] = [Math.min(this.from, this.to), Math.max(this.from, this.to)];
    for (const [at, made] of [...this.element.children].entries()) {
      const on = this.marks.find((one) => one.start <= at && at < one.end);
      made.className = `char${on ? " marked" : ""}${on?.start === at ? " first" : ""}${start <= at && at < end ? " chosen" : ""}${start === end && at === start ? " caret" : ""}`;
      if (on?.start === at) made.dataset.entity = this.entities.find((one) => one.name === on.entity)?.title || on.entity; else delete made.dataset.entity;
    }
    this.said.textContent = start < end ? `已选“${this.chars.slice(start, end).join("")}”，按实体的字母` : this.marks.length ? this.marks.map((one) => `${this.entities.find((each) => each.name === one.entity)?.title}“${this.chars.slice(one.start, one.end).join("")}”`).join("，") : "没有标实体";
  }
}
