// What all live figures share. A figure is a custom element: its numbers stand in it as JSON, its
// parts in a shadow tree, which neither the book's styles nor Jupyter's reach.
window.BackpropFigure ??= class extends HTMLElement {
  // The figure's own picture and controls: `draw()` makes them once, `update()` after each change.
  connectedCallback() {
    if (this.shadowRoot) return; // moved, not new
    this.data = JSON.parse(this.querySelector("script").textContent);
    this.voice = this.make("p", { class: "voice", role: "status" });
    const style = this.make("style", {}, this.constructor.style);
    this.attachShadow({ mode: "open" }).append(style, ...this.draw(), this.voice);
    this.update();
    // In the book a still picture stands above, for those who have no scripts; and the theme lays
    // light paper under all that a cell shows.
    const still = this.closest("figure")?.querySelector("img");
    if (still) (still.closest("a") ?? still).style.display = "none";
    const paper = this.closest(".text_html");
    if (paper) paper.style.cssText = "background: none; color: inherit; padding: 0";
  }

  // Return an element of HTML, or of SVG if its name begins with "svg:"; functions are listeners.
  make(name, attributes = {}, ...children) {
    const [, svg, tag] = /^(svg:)?(.*)$/.exec(name);
    const element = svg
      ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(key, value);
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  button(text, click) {
    return this.make("button", { type: "button", click }, text);
  }

  // Return a labelled slider; `changed` gets its number.
  slider(text, { min, max, step, value }, changed) {
    const shown = this.make("output", { "aria-live": "off" }, value); // `say` tells enough
    const input = (event) => {
      shown.textContent = event.target.value;
      changed(Number(event.target.value));
    };
    const slider = this.make("input", { type: "range", min, max, step, value, input });
    return this.make("label", {}, text, " ", slider, " ", shown);
  }

  // Return a labelled choice; `changed` gets its text.
  choice(text, options, changed, chosen = options[0]) {
    const change = (event) => changed(event.target.value);
    const choices = options.map((option) => this.make("option", {}, option));
    const select = this.make("select", { change }, ...choices);
    select.value = chosen;
    return this.make("label", {}, text, " ", select);
  }

  // Return a field for a number; `changed` gets it when it is one. Who leaves it sees what counts.
  input(attributes, changed) {
    const input = ({ target: { valueAsNumber: value } }) => {
      if (Number.isFinite(value)) changed(value);
    };
    const blur = () => this.update();
    return this.make("input", { type: "number", step: 0.1, ...attributes, input, blur });
  }

  field(text, attributes, changed) {
    return this.make("label", {}, text, " ", this.input(attributes, changed));
  }

  table(heads, rows) {
    const cells = heads.map((head) => this.make("th", { scope: "col" }, head));
    const top = this.make("thead", {}, this.make("tr", {}, ...cells));
    return this.make("table", {}, top, this.make("tbody", {}, ...rows));
  }

  // Return a button that starts and stops a motion: `move` is called after each `pause()`, in
  // milliseconds, until it returns false. An element with the attribute "play" starts by itself,
  // unless its reader wants things to stand still.
  player(move, pause = () => 1600) {
    const button = this.button("", () => this.play(!this.timer));
    this.play = (on) => {
      clearTimeout(this.timer);
      const next = () => this.play(this.isConnected && move() !== false);
      this.timer = on ? setTimeout(next, pause()) : 0;
      button.textContent = on ? "❚❚ stop" : "▸ play";
    };
    this.play(this.hasAttribute("play") && !this.still);
    return button;
  }

  // Tell whether the reader wants things to stand still.
  get still() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
  }

  // Let a button that has nothing to do keep the focus.
  enable(button, on) {
    button.setAttribute("aria-disabled", !on);
  }

  // Return the `d` of a path through points; those far outside are no farther than it can say.
  line(points) {
    const near = (n) => this.clamp(n, -9999, 9999).toFixed(2);
    return `M${points.map(([x, y]) => `${near(x)} ${near(y)}`).join("L")}`;
  }

  clamp(value, low, high) {
    return Math.min(Math.max(value, low), high);
  }

  // Show a number in a slider that did not come from it.
  setSlider(slider, value) {
    slider.querySelector("input").value = value;
    slider.querySelector("output").textContent = value;
  }

  // Let `handle` be dragged, and put elsewhere by a click in `area`; `moved` gets the place there.
  drag(area, handle, moved) {
    const move = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY);
      const { x, y } = point.matrixTransform(area.getScreenCTM().inverse());
      moved(x, y);
    };
    handle.classList.add("handle");
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) move(event);
    });
    area.addEventListener("click", move);
  }

  // Return a number as it is printed on the page.
  show(value, digits = 4) {
    return value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−");
  }

  // Return a given number as short as it is.
  short(value) {
    return String(Number(value.toFixed(4))).replace("-", "−");
  }

  // Tell a screen reader what has changed.
  say(text) {
    this.voice.textContent = text;
  }

  static style = `
    :host {
      --forward: #0072b2; --backward: #b84f00; --muted: #6b6b6b; --rim: #b5b5b5;
      --series-1: #00795a; --series-2: #a3457c; --series-3: #555555;
      --series-4: #6a3d9a; --series-5: #7a5c00; --series-6: #8c2d2d;
      --paper: var(--pst-color-background, Canvas);
      display: block; container-type: inline-size; margin: 1rem 0; color: inherit;
      font-size: 0.9rem; font-variant-numeric: tabular-nums; line-height: 1.5;
    }
    @supports (color: light-dark(red, blue)) {
      :host {
        --forward: light-dark(#0072b2, #56b4e9); --backward: light-dark(#b84f00, #f0a35e);
        --muted: light-dark(#6b6b6b, #a8a8a8); --rim: light-dark(#b5b5b5, #666);
        --series-1: light-dark(#00795a, #4cc9a0); --series-2: light-dark(#a3457c, #e58bbf);
        --series-3: light-dark(#555555, #bdbdbd); --series-4: light-dark(#6a3d9a, #b79be0);
        --series-5: light-dark(#7a5c00, #cfc26a); --series-6: light-dark(#8c2d2d, #e98a8a);
      }
    }
    svg { display: block; width: 100%; max-width: 27rem; height: auto; margin: 0 auto; }
    svg text { fill: currentColor; font-size: 13px; dominant-baseline: central;
      paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
    svg rect { fill: var(--paper); stroke: var(--rim); }
    .forward { color: var(--forward); fill: var(--forward); }
    .backward { color: var(--backward); fill: var(--backward); }
    .muted { color: var(--muted); fill: var(--muted); }
    .path { fill: none; stroke: var(--look); stroke-linejoin: round; }
    .grip { fill: transparent; }
    .handle * { display: block; cursor: grab; touch-action: none; } /* nothing inline heeds it */
    .new { font-weight: 700; }
    .controls { display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center;
      justify-content: center; margin: 0.5rem 0; }
    button, select, input { font: inherit; color: inherit; background: transparent;
      border: 1px solid var(--rim); border-radius: 0.25rem; min-height: 2rem; }
    button { padding: 0 0.75rem; cursor: pointer; }
    button[aria-disabled="true"] { opacity: 0.5; cursor: default; }
    .controls :is(button, select, input) { scroll-margin-block: 28rem 2rem; } /* the picture */
    :focus-visible { outline: 2px solid var(--forward); outline-offset: 2px; }
    input[type="number"] { width: 5.5rem; padding: 0 0.25rem; }
    input[type="range"] { accent-color: var(--muted); border: 0; vertical-align: middle; }
    input[type="checkbox"] { accent-color: var(--muted); min-height: 0; width: 1rem; height: 1rem; }
    table { border-collapse: collapse; margin: 0 auto; }
    th, td { padding: 0.1rem 0.5rem; text-align: right; font-weight: 400; }
    @media print { .controls, details { display: none; } }
    p { margin: 0.15rem 0; }
    .stage { display: grid; align-items: center; gap: 0.5rem 1.5rem; }
    @container (min-width: 38rem) { .stage { grid-template-columns: 3fr 2fr; } }
    .lines { min-height: 11rem; text-align: start; }
    summary { cursor: pointer; }
    .voice { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  `;
};
