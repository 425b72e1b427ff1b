// Small drawn charts: bars as SVG, read aloud as one sentence.
const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
/** `bars` are {label, values: [numbers side by side], strong}; `names` name the values; labels are thinned to fit. */
export function bars(title, bars, { height = 110, width = 260, names = [] } = {}) {
  const top = Math.max(...bars.flatMap((bar) => bar.values), 0.001), floor = height - 18, step = width / Math.max(bars.length, 1), every = Math.ceil(bars.length / Math.floor(width / 34));
  const said = bars.map((bar) => `${bar.label} ${bar.values.map((value, index) => `${names[index] || ""}${value}`).join("，")}`).join("；");
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-label": `${title}：${said}` });
  bars.forEach((bar, index) => {
    const wide = Math.min(22, (step - 4) / bar.values.length), left = index * step + (step - wide * bar.values.length) / 2;
    bar.values.forEach((value, nth) => {
      const tall = Math.max(value > 0 ? 2 : 0, (floor - 14) * value / top);
      const rect = shape("rect", { x: left + nth * wide, y: floor - tall, width: Math.max(1, wide - 1), height: tall, rx: 2, class: `bar-${nth}${bar.strong ? " strong" : ""}` });
      rect.append(shape("title", {}, `${bar.label} ${names[nth] || ""}${value}`));
      svg.append(rect);
      if (bars.length <= 8 && value > 0) svg.append(shape("text", { x: left + nth * wide + wide / 2, y: floor - tall - 3, "text-anchor": "middle" }, value));
    });
    if (index % every === 0) svg.append(shape("text", { x: index * step + step / 2, y: height - 4, "text-anchor": "middle" }, bar.label));
  });
  svg.append(shape("line", { x1: 0, x2: width, y1: floor, y2: floor, class: "floor" }));
  return svg;
}
