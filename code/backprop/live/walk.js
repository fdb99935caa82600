// The walk through the network of chapter 2, forward and back, with any numbers that you give it.
customElements.get("backprop-walk") ?? customElements.define("backprop-walk",
  class extends window.BackpropFigure {
    static EDGES = ["12", "13", "24", "25", "34", "35", "46", "56"];
    // f, its name in formulas, and its slope, from its value y and as it is written.
    static ACTIVATIONS = {
      sigmoid: [(x) => 1 / (1 + Math.exp(-x)), "σ", (y) => y * (1 - y),
        (y) => `${y} · (1 − ${y})`],
      tanh: [Math.tanh, "tanh", (y) => 1 - y * y, (y) => `(1 − ${y} · ${y})`],
      relu: [(x) => Math.max(x, 0), "relu", (y) => Number(y > 0), (y) => Number(Number(y) > 0)],
      identity: [(x) => x, "", () => 1, () => 1],
    };
    // The middles of the nodes, and those that have their slopes on the left.
    static NODES = { 1: [180, 19], 2: [85, 115], 3: [275, 115], 4: [85, 250], 5: [275, 250],
      6: [180, 365] };
    static LEFT = ["2", "4"];

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
      v.E = (v.y6 - v.t) ** 2 / 2;
      v.dy6 = v.y6 - v.t;
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
      const n = (key) => this.number(key).replace(/^−.*/, "($&)");
      const both = (write) => [write(s), write(n)];
      const [, kind, at] = /^(d?[xywbE])(\d*)$/.exec(name);
      const sum = (edges, term, ...more) =>
        both((w) => [...edges.map((e) => term(e).map(w).join(w === s ? " " : " · ")),
          ...more.map(w)].join(" + "));
      switch (kind) {
        case "x":
          return sum(EDGES.filter((e) => e[1] === at), (e) => [`w${e}`, `y${e[0]}`], `b${at}`);
        case "y": return at === "1" ? ["the input"] : both((w) => `${f}(${w(`x${at}`)})`);
        case "E": return both((w) => `½ (${w("y6")} − ${w("t")})²`);
        case "dx": return [`f′(${s(`x${at}`)}) · ${s(`dy${at}`)}`,
          `${slope(n(`y${at}`))} · ${n(`dy${at}`)}`];
        case "dw": return both((w) => `${w(`y${at[0]}`)} · ${w(`dx${at[1]}`)}`);
        case "db": return [s(`dx${at}`)];
        default: return at === "6" ? both((w) => `${w("y6")} − ${w("t")}`)
          : sum(EDGES.filter((e) => e[0] === at), (e) => [`w${e}`, `dx${e[1]}`]);
      }
    }

    // Return a value or slope as text; what is given is as short as it is.
    number(name) {
      return name in this.given ? this.short(this.given[name]) : this.show(this.values[name]);
    }

    symbol(name) {
      return name.replace(/^d/, "∂E/∂").replace(/\d/g, (d) => "₀₁₂₃₄₅₆"[d]);
    }

    draw() {
      Object.assign(this, { step: 0, rate: this.data.rate, activation: "sigmoid" });
      this.given = { ...this.data.given };
      Object.assign(this, { texts: {}, arrows: {}, fields: {} });
      this.lines = this.make("div", { class: "lines" });
      const stage = this.make("div", { class: "stage" }, this.picture(), this.lines);
      return [stage, this.walkControls(), this.numbers()];
    }

    picture() {
      const { NODES, EDGES, LEFT } = this.constructor;
      const svg = this.make("svg:svg", { viewBox: "-24 0 408 460", role: "img" });
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
        const side = { 24: -34, 35: 34, 46: -12, 56: 12, 12: -12, 13: 12 }[name] ?? 0;
        const t = name[1] === "6" ? 0.4 : 0.28;
        const [x, y] = [x1 + t * (x2 - x1) + side, from + t * (to - from)];
        svg.append(text(`w${name}`, x, y - 8), text(`dw${name}`, x, y + 9));
      }
      for (const [n, [x, y]] of Object.entries(NODES)) {
        const height = n === "1" ? 32 : 56;
        const box = { x: x - 50, y: y - height / 2, width: 100, height, rx: 3 };
        svg.append(this.make("svg:rect", box));
        const side = LEFT.includes(n) ? -1 : 1;
        const halves = n === "1" ? [["y", 0]] : [["x", -14], ["y", 14]];
        for (const [half, dy] of halves) {
          svg.append(text(`${half}${n}`, x, y + dy));
          svg.append(text(`d${half}${n}`, x + 55 * side, y + dy, side < 0 ? "end" : "start"));
        }
        if (n === "6") svg.append(text("b6", x - 56, y - 14, "end"));
        else if (n > 1) {
          svg.append(text(`b${n}`, x + 50 * side, y - 39, side < 0 ? "start" : "end"));
        }
      }
      svg.append(this.make("svg:rect", { x: 130, y: 422, width: 100, height: 32, rx: 3 }));
      svg.append(text("E", 180, 438), text("t", 240, 438, "start"));
      return svg;
    }

    walkControls() {
      const last = this.data.steps.length - 1;
      const input = (event) => this.go(Number(event.target.value));
      const range = { type: "range", min: 0, max: last, value: 0, input, "aria-label": "step" };
      this.range = this.make("input", range);
      this.back = this.button("◂ back", () => this.go(this.step - 1));
      this.next = this.button("next step ▸", () => this.go(this.step + 1));
      const walk = () => this.stand((this.step + 1) % (last + 1));
      this.place = this.make("span", { class: "muted" });
      const buttons = [this.back, this.range, this.next, this.player(walk)];
      return this.make("div", { class: "controls" }, ...buttons, this.place);
    }

    numbers() {
      const { ACTIVATIONS } = this.constructor;
      const row = (name) => {
        const field = this.input({ value: this.given[name], id: name }, (value) => {
          this.given[name] = value;
          this.update();
        });
        const [slope, trial] = [this.make("td", { class: "backward" }), this.make("td")];
        this.fields[name] = { field, slope, trial };
        const label = this.make("label", { for: name }, this.symbol(name));
        const head = this.make("th", { scope: "row" }, label);
        return this.make("tr", {}, head, this.make("td", {}, field), slope, trial);
      };
      const choice = this.choice("activation f", Object.keys(ACTIVATIONS), (name) => {
        this.activation = name;
        this.update();
      });
      const learn = (value) => { this.rate = value; };
      const bar = this.make("div", { class: "controls" }, choice,
        this.field("learning rate η", { value: this.rate }, learn),
        this.button("apply the update", () => this.apply()),
        this.button("start again", () => this.reset()));
      const heads = ["number", "value", "slope of E", "by trial"];
      const table = this.table(heads, Object.keys(this.given).map(row));
      return this.make("details", {}, this.make("summary", {}, "Change the numbers"), bar, table);
    }

    stand(step) {
      this.step = step;
      this.update();
    }

    go(step) {
      this.play(false);
      this.stand(step);
      const news = this.data.steps[step].map((name) => `${this.symbol(name)} ${this.number(name)}`);
      this.say(`Step ${step}: ${news.join(", ")}`);
    }

    apply() {
      const before = this.values;
      for (const name of Object.keys(this.given)) {
        if (/[wb]/.test(name)) this.given[name] -= this.rate * before[`d${name}`];
      }
      this.update();
      this.say(`The error was ${this.show(before.E)} and is ${this.number("E")}.`);
    }

    reset() {
      this.given = { ...this.data.given };
      this.update();
      this.say(`The numbers of the chapter: the error is ${this.number("E")}.`);
    }

    update() {
      this.values = this.compute();
      const { steps } = this.data;
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
        const color = isUp ? "backward" : isDown ? "forward" : "rim";
        line.setAttribute("stroke", `var(--${color})`);
        line.setAttribute("marker-end", isDown ? "url(#tip)" : "");
        line.setAttribute("marker-start", isUp ? "url(#tip)" : "");
      }
      const hint = "Forward, in blue, come the values; back, in orange, the slope of E in each.";
      const lines = this.step ? steps[this.step].map((name) => this.explain(name)) : [hint];
      this.lines.replaceChildren(...lines);
      for (const [name, { field, slope, trial }] of Object.entries(this.fields)) {
        const typing = field === this.shadowRoot.activeElement;
        if (!typing) field.value = Number(this.given[name].toFixed(6));
        const known = name !== "t" && stepOf(`d${name.replace(/^b/, "x")}`) <= this.step;
        slope.textContent = known ? this.show(this.values[`d${name}`], 6) : "";
        trial.textContent = known ? this.show(this.trial(name), 6) : "";
      }
      this.range.value = this.step;
      this.back.disabled = !this.step;
      this.next.disabled = this.step === steps.length - 1;
      const way = this.step ? `, ${direction(steps[this.step][0])}` : "";
      this.place.textContent = `step ${this.step} of ${steps.length - 1}${way}`;
      this.heading.textContent = `The network after step ${this.step}: E is ${this.number("E")}`;
    }

    // Return the line that tells how a value or slope was computed.
    explain(name) {
      const way = name[0] === "d" ? "backward" : "forward";
      const result = this.make("b", { class: way }, this.number(name));
      const formula = [this.symbol(name), ...this.formula(name), ""].join(" = ");
      const line = this.make("p", {}, formula, result);
      if (way === "backward") {
        const trial = `  by trial ${this.show(this.trial(name.slice(1)), 6)}`;
        line.append(this.make("span", { class: "muted" }, trial));
      }
      return line;
    }
  });
