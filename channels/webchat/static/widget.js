// One script tag puts the chat on any page: a round button, and the chat in a frame of its own.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  const root = document.createElement("div").attachShadow({ mode: "open" });
  document.body.append(root.host);
  const style = new CSSStyleSheet();
  style.replaceSync(`
    button { position: fixed; right: 20px; bottom: 20px; z-index: 2147483000; height: 56px; padding: 0 22px; border: 0; border-radius: 28px;
      background: #0b6b5c; color: #fff; font: 600 17px system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; cursor: pointer; box-shadow: 0 4px 16px #0004; }
    button:focus-visible { outline: 3px solid #4cc2ab; outline-offset: 3px; }
    iframe { position: fixed; right: 20px; bottom: 88px; z-index: 2147483000; width: 400px; height: min(640px, calc(100dvh - 108px)); border: 0; border-radius: 16px; box-shadow: 0 8px 40px #0005; }
    iframe[hidden] { display: none; }
    @media (max-width: 480px) { iframe { inset: 0 0 88px; width: 100%; height: calc(100dvh - 88px); border-radius: 0; } }`);
  root.adoptedStyleSheets = [style];
  const button = document.createElement("button");
  const frame = document.createElement("iframe");
  frame.title = "电力客服";
  frame.hidden = true;
  function toggle(open) {
    if (open && !frame.src) frame.src = `${origin}/?embed=1`;
    frame.hidden = !open;
    button.textContent = open ? "收起" : "电力客服";
    button.setAttribute("aria-expanded", open);
  }
  button.onclick = () => toggle(frame.hidden);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !frame.hidden) { toggle(false); button.focus(); } });
  toggle(false);
  root.append(button, frame);
})();
