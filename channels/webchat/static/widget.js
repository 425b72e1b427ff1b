// One script tag puts the chat on any page: <dianqiao-chat>, a round button and the chat in a frame of its own,
// so that the page around it can neither read a customer's conversation nor disturb it.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  const USED = "dianqiao-chat.used", READY_WITHIN = 8000;
  const style = new CSSStyleSheet();
  style.replaceSync(`
    :host { --accent: #0b6b5c; }
    button { position: fixed; right: 20px; bottom: 20px; z-index: 2147483000; height: 56px; padding: 0 22px; border: 0; border-radius: 28px; background: var(--accent);
      color: #fff; font: 600 17px system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; cursor: pointer; box-shadow: 0 4px 16px #0004; }
    button:focus-visible { outline: 3px solid #fff; outline-offset: -6px; }
    b { display: inline-block; min-width: 24px; margin-left: 8px; padding: 0 6px; border-radius: 12px; background: #fff; color: #0b6b5c; font-size: 15px; line-height: 24px; }
    iframe, p { position: fixed; right: 20px; bottom: 88px; z-index: 2147483000; width: min(400px, calc(100vw - 40px)); height: min(680px, calc(100vh - 108px)); border: 0; border-radius: 16px; box-shadow: 0 8px 40px #0005; background: #fff; }
    p { height: auto; margin: 0; padding: 20px; box-sizing: border-box; color: #16201e; font: 16px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif; }
    p a { color: #0b6b5c; }
    [hidden] { display: none !important; }
    @media (max-width: 480px) { iframe { inset: 0 0 88px; width: 100%; height: calc(100dvh - 88px); border-radius: 0; } }`);

  class DianqiaoChat extends HTMLElement {
    connectedCallback() {
      if (this.shadowRoot) return;
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [style];
      this._button = document.createElement("button");
      this._button.type = "button";
      this._frame = document.createElement("iframe");
      this._frame.title = "电力客服";
      this._frame.allow = "clipboard-write";
      this._refused = document.createElement("p");
      this._refused.setAttribute("role", "alert");
      this._refused.hidden = true;
      const link = Object.assign(document.createElement("a"), { href: origin, target: "_blank", rel: "noopener", textContent: "在新窗口打开客服" });
      this._refused.append("客服暂时打不开，可能是网络不通，或本站没有获准嵌入。", document.createElement("br"), link);
      root.append(this._button, this._frame, this._refused);
      this._button.onclick = () => this.toggle(!this._open);
      addEventListener("message", (event) => this._heard(event));
      document.addEventListener("keydown", (event) => { if (event.key === "Escape" && this._open) this._close(); });
      this._unread = 0;
      this.toggle(false);
      // whoever has used it before is told of answers without opening it
      try { if (sessionStorage.getItem(USED)) this._load(); } catch { /* denied */ }
    }

    /** Show or hide the chat. */
    toggle(open) {
      this._open = open;
      if (open) {
        this._load();
        try { sessionStorage.setItem(USED, "1"); } catch { /* denied */ }
      }
      this._frame.hidden = !open || this._failed;
      this._refused.hidden = !open || !this._failed;
      this._draw();
      this._tell();
      if (open && this._ready) this._frame.focus();
    }

    _load() {
      if (this._frame.src) return;
      this._frame.src = `${origin}/?embed=1`;
      setTimeout(() => { if (!this._ready) { this._failed = true; this.toggle(this._open); } }, READY_WITHIN);
    }

    _close() { this.toggle(false); this._button.focus(); }

    _tell() { if (this._ready) this._frame.contentWindow.postMessage({ dianqiao: "shown", open: this._open }, origin); }

    _heard({ source, origin: from, data }) {
      if (from !== origin || source !== this._frame.contentWindow || !data?.dianqiao) return;
      if (data.dianqiao === "ready") { this._ready = true; this._failed = false; this.toggle(this._open); }
      else if (data.dianqiao === "close") this._close();
      else if (data.dianqiao === "unread") { this._unread = data.unread; this._draw(); }
    }

    _draw() {
      this._button.textContent = this._open ? "收起" : "电力客服";
      this._button.setAttribute("aria-expanded", this._open);
      if (this._open || !this._unread) return;
      const badge = document.createElement("b");
      badge.textContent = this._unread > 99 ? "99+" : this._unread;
      badge.setAttribute("aria-label", `${this._unread}条未读`);
      badge.setAttribute("role", "img");
      this._button.append(badge);
    }
  }

  if (!customElements.get("dianqiao-chat")) customElements.define("dianqiao-chat", DianqiaoChat);
  const place = () => { if (!document.querySelector("dianqiao-chat")) document.body.append(document.createElement("dianqiao-chat")); };
  if (document.body) place(); else document.addEventListener("DOMContentLoaded", place);
})();
