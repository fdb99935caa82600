// The walk through the network of chapter 2, forward and back, with any numbers that you give it.
customElements.get("backprop-walk") ?? customElements.define("backprop-walk",
  class extends window.BackpropFigure {
    static EDGES = ["12", "13", "24", "25", "34", "35", "46", "56"];
    // f, its name in formulas, and its slope, from its value y and as it is written.
    static ACTIVATIONS = {
      sigmoid: [(x) => 1 / (1 + Math.exp(-x)), "σ", (y) => y * (1 - y), (y) => `${y} · (1 − ${y})`],
      tanh: [Math.tanh, "tanh", (y) => 1 - y * y, (y) => `(1 − ${y} · ${y})`],
      relu: [(x) => Math.max(x, 0), "relu", (y) => Number(y > 0), (y) => Number(Number(y) > 0)],
      identity: [(x) => x, "", () => 1, () => 1],
    };
    // The middles of the nodes.
    static NODES = { 1: [180, 19], 2: [85, 115], 3: [275, 115], 4: [85, 250], 5: [275, 250],
      6: [180, 365] };

    // Return every value and slope by its name, such as y4, w24 and dw24. If `moved` is the name of
    // a value, that value is moved by `h` when it has been computed.
    compute(moved = "", h = 0) {
      const [f, , slope] = this.constructor.ACTIVATIONS[this.activation];
      const edges = this.constructor.EDGES;
      const v = {};
      const set = (name, value) => { v[name] = value + (name === moved ? h : 0); };
      for (const [name, value] of Object.entries(this.given)) set(name, value);
      for (const j of "23456") {
        const into = edges.filter((edge) => edge[1] === j);
        set(`x${j}`, into.reduce((sum, e) => sum + v[`w${e}`] * v[`y${e[0]}`], 0) + v[`b${j}`]);
        set(`y${j}`, f(v[`x${j}`]));
      }
      v.E = (v.dy6 = v.y6 - v.t) ** 2 / 2;
      for (const j of "65432") {
        v[`dx${j}`] = v[`db${j}`] = slope(v[`y${j}`]) * v[`dy${j}`];
        for (const e of edges.filter((edge) => edge[1] === j)) {
          v[`dw${e}`] = v[`y${e[0]}`] * v[`dx${j}`];
          v[`dy${e[0]}`] = (v[`dy${e[0]}`] ?? 0) + v[`w${e}`] * v[`dx${j}`];
        }
      }
      return v;
    }

    // Return the slope of E in a value as two trials tell it.
    trial(name) {
      const h = 1e-5;
      return (this.compute(name, h).E - this.compute(name, -h).E) / (2 * h);
    }

    // Return the formula by which a value or slope was computed, and the same in numbers.
    formula(name) {
      const { EDGES, ACTIVATIONS } = this.constructor;
      const [, f, , slope] = ACTIVATIONS[this.activation];
      const s = this.symbol;
      // Slopes have a fifth decimal as factors, or some lines would not come out on a calculator.
      const n = (key) => this.number(key, key[0] === "d" ? 5 : 4).replace(/^−.*/, "($&)");
      const both = (write) => [write(s), write(n)];
      const [, kind, at] = /^(d?[xywbE])(\d*)$/.exec(name);
      const sum = (edges, term, ...more) =>
        both((w) => [...edges.map((e) => term(e).map(w).join(w === s ? " " : " · ")),
          ...more.map(w)].join(" + "));
      switch (kind) {
        case "x":
          return sum(EDGES.filter((e) => e[1] === at), (e) => [`w${e}`, `y${e[0]}`], `b${at}`);
        case "y": return at === "1" ? ["the input"] : [`f(${s(`x${at}`)})`,
          `${f}(${this.number(`x${at}`)})`];
        case "E": return both((w) => `½ (${w("y6")} − ${w("t")})²`);
        case "dx": return [`f′(${s(`x${at}`)}) · ${s(`dy${at}`)}`,
          `${slope(n(`y${at}`))} · ${n(`dy${at}`)}`];
        case "dw": return both((w) => `${w(`y${at[0]}`)} · ${w(`dx${at[1]}`)}`);
        default: return at === "6" ? both((w) => `${w("y6")} − ${w("t")}`)
          : sum(EDGES.filter((e) => e[0] === at), (e) => [`w${e}`, `dx${e[1]}`]);
      }
    }

    // Return a value or slope as text; what is given is as short as it is.
    number(name, digits) {
      return name in this.given ? this.short(this.given[name])
        : this.show(this.values[name], digits);
    }

    // Return a number as it is printed on the page; a large one has no more room.
    show(value, digits) {
      const size = Math.abs(value);
      const text = size < 1e4 ? value.toPrecision(5) : value.toExponential(1).replace("+", "");
      return size < 10 ? super.show(value, digits) : text.replace("-", "−");
    }

    symbol(name) {
      return name.replace(/^d/, "∂E/∂").replace(/\d/g, (d) => "₀₁₂₃₄₅₆"[d]);
    }

    draw() {
      Object.assign(this, { step: 0, texts: {}, arrows: {} }, structuredClone(this.data));
      // The lines of all steps lie in one place, so that its height is that of the longest.
      this.lines = this.make("div", { style: "display: grid; align-items: center" });
      const stage = this.make("div", { class: "stage" }, this.picture(), this.lines);
      return [stage, this.walkControls(), this.numbers()];
    }

    picture() {
      const { NODES, EDGES } = this.constructor;
      const svg = this.make("svg:svg", { viewBox: "-32 0 424 460", role: "img" });
      this.heading = this.make("svg:title");
      const text = (name, x, y, anchor = "middle") =>
        (this.texts[name] = this.make("svg:text", { x, y, "text-anchor": anchor }));
      const tip = { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 5,
        markerHeight: 5, orient: "auto-start-reverse", fill: "context-stroke" };
      const marker = this.make("svg:marker", tip, this.make("svg:path", { d: "M0 0 8 4 0 8z" }));
      svg.append(this.heading, this.make("svg:defs", {}, marker));
      const ends = EDGES.map((e) => [e, NODES[e[0]], NODES[e[1]]]);
      for (const [name, [x1, y1], [x2, y2]] of [...ends, ["E", NODES[6], [180, 453]]]) {
        const [from, to] = [y1 + (name[0] === "1" ? 17 : 29), y2 - (name === "E" ? 33 : 29)];
        this.arrows[name] = this.make("svg:line", { x1, y1: from, x2, y2: to, "stroke-width": 2 });
        svg.append(this.arrows[name]);
        if (name === "E") continue;
        const side = { 24: -34, 35: 34, 46: -12, 56: 12, 12: -17, 13: 17 }[name] ?? 0;
        const t = name[1] === "6" ? 0.4 : 0.28;
        const [x, y] = [x1 + t * (x2 - x1) + side, from + t * (to - from)];
        svg.append(text(`w${name}`, x, y - 8), text(`dw${name}`, x, y + 9));
      }
      const box = (x, y, height) => this.make("svg:rect",
        { x: x - 47, y: y - height / 2, width: 94, height, rx: 3 });
      for (const [n, [x, y]] of Object.entries(NODES)) {
        svg.append(box(x, y, n === "1" ? 32 : 56));
        const [side, near, far] = x < 180 ? [-1, "end", "start"] : [1, "start", "end"];
        for (const [half, dy] of n === "1" ? [["y", 0]] : [["x", -14], ["y", 14]]) {
          svg.append(text(`${half}${n}`, x, y + dy));
          svg.append(text(`d${half}${n}`, x + 52 * side, y + dy, near));
        }
        if (n === "6") svg.append(text("b6", x - 53, y - 14, "end"));
        else if (n > 1) svg.append(text(`b${n}`, x + 60 * side, y - 39, far));
      }
      svg.append(box(180, 438, 32), text("E", 180, 438), text("t", 237, 438, "start"));
      return svg;
    }

    walkControls() {
      const last = this.steps.length - 1;
      const input = () => this.go(this.range.valueAsNumber);
      this.range = this.make("input", { type: "range", max: last, input, "aria-label": "step" });
      this.back = this.button("◂ back", () => this.go(this.step - 1));
      this.next = this.button("next step ▸", () => this.go(this.step + 1));
      const walk = () => {
        this.go(this.still ? last : (this.step + 1) % (last + 1), this.matches(":focus-within"));
        return this.step < last;
      };
      const lines = () => this.step && this.steps[this.step].length;
      const pause = () => (this.still || this.step === last ? 0 : 1000 + 500 * lines());
      this.place = this.make("span", { class: "muted", style: "min-width: 11rem" });
      const parts = [this.back, this.next, this.player(walk, pause), this.range, this.place];
      return this.make("div", { class: "controls" }, ...parts);
    }

    numbers() {
      const small = { style: "width: 3.7rem" };
      const fields = Object.keys(this.given).map((name) =>
        this.field(this.symbol(name), { min: -100, max: 100, ...small }, (value) => {
          const now = this.clamp(value, -100, 100);
          if (now === this.given[name]) return;
          this.change(`${this.symbol(name)} ${this.short(now)}`, () => { this.given[name] = now; });
        }));
      const style = "display: grid; grid: auto / repeat(auto-fill, 6.3rem); text-align: right";
      this.answer = this.make("p", { style: "text-align: center" });
      const activation = this.choice("activation f", Object.keys(this.constructor.ACTIVATIONS),
        (name) => this.change(name, () => { this.activation = name; }));
      const rate = this.field("learning rate η", small, (value) => { this.rate = value; });
      this.inputs = [...fields, rate, activation].map((label) => label.lastChild);
      const reset = () => Object.assign(this, structuredClone(this.data));
      const bar = this.make("div", { class: "controls" }, activation, rate,
        this.button("apply the update", () => this.change("updated", () => this.apply())),
        this.button("first numbers", () => this.change("first numbers", reset)));
      const toggle = ({ target }) => target.open && this.go(this.steps.length - 1);
      return this.make("details", { toggle }, this.make("summary", {}, "Change the numbers"),
        this.make("div", { class: "controls", style }, ...fields), this.answer, bar);
    }

    go(step, aloud = true) {
      if (!this.steps[step]) return;
      this.play(false);
      this.step = step;
      this.update();
      if (aloud) this.say(this.news());
    }

    // Return what the step has found.
    news() {
      const values = this.steps[this.step].map((n) => `${this.symbol(n)} ${this.number(n)}`);
      return `Step ${this.step}: ${values.join(", ")}`;
    }

    // Change numbers, and tell what that does to the error.
    change(what, how) {
      this.play(false);
      const before = this.number("E");
      how();
      this.update();
      this.answer.textContent = `${what}: E ${before} → ${this.number("E")}`;
      this.say(`${this.answer.textContent}. ${this.news()}`);
    }

    apply() {
      for (const name of Object.keys(this.given).filter((name) => /[wb]/.test(name))) {
        const now = this.given[name] - this.rate * this.values[`d${name}`];
        this.given[name] = this.clamp(now, -100, 100);
      }
    }

    update() {
      this.values = this.compute();
      const { steps } = this;
      const stepOf = (name) => Math.max(steps.findIndex((names) => names.includes(name)), 0);
      const direction = (name) => (name[0] === "d" ? "backward" : "forward");
      for (const [name, text] of Object.entries(this.texts)) {
        const at = stepOf(name), known = at <= this.step, slope = name[0] === "d";
        const value = known ? this.number(name) : "";
        text.textContent = slope ? value : `${this.symbol(name)} ${value}`;
        const look = !known ? "muted" : at ? direction(name) : "";
        text.setAttribute("class", at === this.step && at ? `${look} new` : look);
      }
      for (const [name, line] of Object.entries(this.arrows)) {
        const [down, up] = name === "E" ? ["E", "dy6"] : [`x${name[1]}`, `dw${name}`];
        const [isDown, isUp] = [stepOf(down) === this.step, stepOf(up) === this.step];
        line.setAttribute("stroke", `var(--${isUp ? "backward" : isDown ? "forward" : "rim"})`);
        line.setAttribute("marker-end", isDown ? "url(#tip)" : "");
        line.setAttribute("marker-start", isUp ? "url(#tip)" : "");
      }
      const hint = "Forward, in blue, come the values; back, in orange, the slope of E in each.";
      this.lines.replaceChildren(...steps.map((names, at) => this.make("div",
        { style: `grid-area: 1 / 1; visibility: ${at === this.step ? "visible" : "hidden"}` },
        ...at ? names.map((n) => this.explain(n)) : [hint])));
      const shown = [...Object.values(this.given), this.rate].map((n) => Number(n.toFixed(4)));
      for (const [k, value] of [...shown, this.activation].entries()) {
        if (this.inputs[k] !== this.shadowRoot.activeElement) this.inputs[k].value = value;
      }
      this.answer.textContent ||= `E ${this.number("E")}`;
      this.range.value = this.step;
      this.enable(this.back, this.step);
      this.enable(this.next, this.step < steps.length - 1);
      const way = this.step ? `, ${direction(steps[this.step][0])}` : "";
      this.place.textContent = `step ${this.step} of ${steps.length - 1}${way}`;
      this.heading.textContent = `The network after step ${this.step}: E is ${this.number("E")}`;
    }

    // Return the line that tells how a value or slope was computed.
    explain(name) {
      const way = name[0] === "d" ? "backward" : "forward";
      const result = this.make("b", { class: way }, this.number(name));
      const formula = [this.symbol(name), ...this.formula(name), ""].join(" = ");
      const trial = name[0] === "d" ? `  by trial ${this.show(this.trial(name.slice(1)), 6)}` : "";
      return this.make("p", {}, formula, result, this.make("span", { class: "muted" }, trial));
    }
  });
