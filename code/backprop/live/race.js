// A race of the eight optimizers, all from one start, on a surface that you choose.
customElements.get("backprop-race") ?? customElements.define("backprop-race",
  class extends window.BackpropFigure {
    static style = `${window.BackpropFigure.style}
      .left { flex: 1 1 20rem; max-width: 27rem; } .left label { white-space: nowrap; }
      svg text { fill: var(--look); font-size: 12px; } th:first-child { text-align: left; }
      .level { fill: none; stroke: var(--rim); stroke-width: 0.75; }
      .path { stroke-width: 1.75; stroke-dasharray: var(--dash); }
      .lead { stroke: var(--look); stroke-width: 0.75; opacity: 0.6; }
      .head { fill: var(--look); stroke: var(--paper); } .off { color: var(--muted); }
      .start { fill: var(--paper); stroke: currentColor; stroke-width: 1.5; }
      .sample { width: 1.6rem; border-top: 2px var(--line, solid) var(--look); }
      td label { display: flex; gap: 0.4rem; align-items: center; cursor: pointer; }
      output { display: inline-block; min-width: 2em; } th:last-child { min-width: 5em; }
    `;
    static SIZE = [270, 210]; // of the picture
    // Sisters share a colour, and the younger one is dashed.
    static COLORS = { SGD: 3, Momentum: 1, Nesterov: 1, Adagrad: 2, RMSProp: 5, Adadelta: 6,
      Adam: 4, AdamW: 4 };

    // The rules: w after an update, by its slope g, its memory s (0 at first), the rate, and more.
    static RULES = {
      mean: (s, name, x, share) => (s[name] = share * s[name] + (1 - share) * x),
      SGD: (w, g, s, rate) => w - rate * g,
      Momentum: (w, g, s, rate, { mu }) => w + (s.v = mu * s.v - rate * g),
      Nesterov: (w, g, s, rate, { mu }) => w + (mu * (s.v = mu * s.v - rate * g) - rate * g),
      Adagrad: (w, g, s, rate, { start, epsilon }) =>
        w - rate * g / Math.sqrt(start + (s.sum += g * g) + epsilon),
      RMSProp(w, g, s, rate, { rho, epsilon }) {
        return w - rate * g / Math.sqrt(this.mean(s, "s", g * g, rho) + epsilon);
      },
      Adadelta(w, g, s, rate, { rho, epsilon }) {
        this.mean(s, "s", g * g, rho);
        const step = Math.sqrt(s.d + epsilon) * g / Math.sqrt(s.s + epsilon);
        this.mean(s, "d", step * step, rho);
        return w - rate * step;
      },
      Adam(w, g, s, rate, { beta_1, beta_2, epsilon }) {
        s.t += 1;
        s.m += (1 - beta_1) * (g - s.m);
        s.s += (1 - beta_2) * (g * g - s.s);
        const correction = Math.sqrt(1 - beta_2 ** s.t) / (1 - beta_1 ** s.t);
        return w - rate * correction * s.m / (Math.sqrt(s.s) + epsilon);
      },
      AdamW(w, g, s, rate, more) { return this.Adam(w - rate * more.c * w, g, s, rate, more); },
    };

    // The surfaces: the height, which is 0 at its lowest, and the two slopes.
    static SURFACES = {
      valley: [(a, b, { H: [[p, q], [, r]] }) => (p * a * a + 2 * q * a * b + r * b * b) / 2,
        (a, b, { H: [[p, q], [, r]] }) => [p * a + q * b, q * a + r * b]],
      saddle: [(a, b) => (a * a - b * b) / 2 + (b ** 4 + 1) / 4, (a, b) => [a, b * b * b - b]],
      bend: [(a, b, { c }) => (a - 1) ** 2 / 2 + c * (b - a * a) ** 2,
        (a, b, { c }) => [a - 1 - 4 * c * a * (b - a * a), 2 * c * (b - a * a)]],
    };

    // Return the path of one optimizer, which ends where it is gone, farther out than a million.
    run(name) {
      const { surface, factor, data, constructor: { RULES, SURFACES } } = this;
      const [, slopes] = SURFACES[surface.form];
      const memories = [0, 1].map(() => ({ v: 0, sum: 0, s: 0, d: 0, t: 0, m: 0 }));
      const path = [];
      for (let w = this.start; path.length <= data.updates && Math.hypot(...w) < 1e6;) {
        path.push(w);
        const g = slopes(...w, surface);
        w = w.map((p, i) =>
          RULES[name](p, g[i], memories[i], surface.rates[name] * factor, data.more[name]));
      }
      return path;
    }

    // Return the point of the surface at these shares of its sides, and where it is in the picture.
    point(shares) { return this.surface.box.map(([p, q], i) => p + (q - p) * shares[i]); }
    at(w) {
      const { surface: { box: [[left, right], [low, high]] }, constructor: { SIZE } } = this;
      return [SIZE[0] * (w[0] - left) / (right - left), SIZE[1] * (high - w[1]) / (high - low)];
    }

    // Return lines of equal height. In each small square, one joins the sides that it crosses.
    contours() {
      const [height] = this.constructor.SURFACES[this.surface.form];
      const ticks = Array.from({ length: 81 }, (_, n) => n / 80);
      const grid = ticks.map((i) => ticks.map((j) => height(...this.point([i, j]), this.surface)));
      const sorted = grid.flat().sort((p, q) => p - q);
      const levels = this.data.levels.map((share) => sorted[Math.floor(share * sorted.length)]);
      const square = (i, j, level) => {
        const corners = [[i, j], [i - 1, j], [i - 1, j - 1], [i, j - 1], [i, j]];
        const crossings = corners.slice(1).flatMap(([i1, j1], k) => {
          const [i0, j0] = corners[k];
          const [z0, z1] = [grid[i0][j0] - level, grid[i1][j1] - level];
          const t = z0 / (z0 - z1);
          return z0 < 0 === z1 < 0 ? []
            : [this.at(this.point([i0 + t * (i1 - i0), j0 + t * (j1 - j0)].map((n) => n / 80)))];
        });
        return crossings.length ? this.line(crossings) : "";
      };
      return levels.map((level) => ticks.slice(1).map((_, i) =>
        ticks.slice(1).map((_, j) => square(i + 1, j + 1, level)).join("")).join("")).join("");
    }

    draw() {
      const { surfaces, updates, factors, more } = this.data;
      this.names = Object.keys(more);
      Object.assign(this, { t: 0, factor: 1, timer: 0, shown: new Set(this.names) });
      const surface = this.choice("surface", Object.keys(surfaces), (name) => this.choose(name));
      const factor = this.choice("all rates ×", factors, (n) => this.move({ factor: +n }), 1);
      this.formula = this.make("span");
      this.fields = ["a", "b"].map((name, i) => this.field(name, { step: 0.1 }, (n) =>
        this.move({ start: this.start.map((old, k) => (k === i ? n : old)) })));
      const range = { min: 0, max: updates, step: 1, value: 0 };
      this.clock = this.slider("update", range, (t) => this.move({ t }));
      this.player = this.button("", () => this.play());
      const bar = (...parts) => this.make("div", { class: "controls" }, ...parts);
      const race = [this.picture(), bar(this.player, this.clock)];
      const both = bar(this.make("div", { class: "left" }, ...race), this.table());
      this.choose(Object.keys(surfaces)[0]);
      return [bar(surface, factor, this.formula), both, bar("start", ...this.fields)];
    }

    look(name) {
      const dashed = /Nesterov|W/.test(name) ? "; --dash: 5 3; --line: dashed" : "";
      return `--look: var(--series-${this.constructor.COLORS[name]})${dashed}`;
    }

    picture() {
      const [width, height] = this.constructor.SIZE;
      this.heading = this.make("svg:title");
      this.levels = this.make("svg:path", { class: "level" });
      this.runs = this.make("svg:g");
      this.handle = this.make("svg:g", {}, this.make("svg:circle", { class: "start", r: 5 }),
        this.make("svg:circle", { class: "grip", r: 22 }));
      const frame = () => this.make("svg:rect", { width, height });
      const clip = this.make("svg:clipPath", { id: "frame" }, frame());
      const axes = [["a", width - 10, height - 9], ["b", 9, 11]].map(([name, x, y]) =>
        this.make("svg:text", { x, y, style: "--look: var(--muted)" }, name));
      const area = this.make("svg:g", {}, frame(), this.levels, ...axes, this.runs, this.handle);
      this.drag(area, this.handle, (x, y) => {
        const start = this.point([x / width, 1 - y / height]);
        this.move({ start: start.map((n) => Math.round(n * 100) / 100) });
      });
      return this.make("svg:svg", { viewBox: `-1 -6 352 ${height + 12}`, role: "img" },
        this.heading, clip, area);
    }

    // Return the table, which also says who is in the picture.
    table() {
      this.rows = Object.fromEntries(this.names.map((name) => {
        const change = (event) => {
          this.shown[event.target.checked ? "add" : "delete"](name);
          this.update();
        };
        const box = this.make("input", { type: "checkbox", checked: "", change });
        const sample = this.make("span", { class: "sample", style: this.look(name) });
        const label = this.make("td", {}, this.make("label", {}, box, sample, name));
        return [name, this.make("tr", {}, label, this.make("td"), this.make("td"))];
      }));
      const head = (name) => this.make("th", { scope: "col" }, name);
      this.body = this.make("tbody");
      const heads = this.make("tr", {}, ...["optimizer", "rate", "f"].map(head));
      return this.make("table", {}, this.make("thead", {}, heads), this.body);
    }

    choose(name) {
      this.surface = this.data.surfaces[name];
      this.formula.textContent = this.surface.formula;
      this.levels.setAttribute("d", this.contours());
      this.move({ place: name, start: this.surface.start });
    }

    // Change what is given, and tell what comes of it.
    move(given) {
      Object.assign(this, given);
      this.start = this.start.map((n, i) => this.clamp(n, ...this.surface.box[i]));
      this.update();
      const { order, heights } = this.values;
      const list = order.map((name) => `${name} ${this.tiny(heights[name])}`).join(", ");
      this.say(`After ${this.t} updates, lowest first: ${list}.`);
    }

    // Begin to run, or stop.
    play() {
      const { timer, data: { updates } } = this;
      clearInterval(timer);
      this.timer = 0;
      if (timer) return this.move({});
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.move({ t: updates });
      this.t %= updates;
      this.timer = setInterval(() => {
        this.t += 1;
        if (this.isConnected && this.t < updates) this.update();
        else this.play();
      }, 60);
      this.update();
    }

    update() {
      const { t, names, shown, factor, surface, start, constructor: { SURFACES } } = this;
      const [height] = SURFACES[surface.form];
      const paths = Object.fromEntries(names.map((name) => [name, this.run(name)]));
      const heights = Object.fromEntries(names.map((name) =>
        [name, t < paths[name].length ? height(...paths[name][t], surface) : null]));
      const rank = (name) => heights[name] ?? Number.MAX_VALUE;
      const order = [...names].sort((p, q) => rank(p) - rank(q));
      this.values = { surface: this.place, factor, t, start, paths, heights, order };
      const focused = this.shadowRoot.activeElement;
      if (order.some((name, i) => this.rows[name] !== this.body.children[i])) {
        this.body.append(...order.map((name) => this.rows[name]));
        focused?.focus({ preventScroll: true });
      }
      for (const [name, row] of Object.entries(this.rows)) {
        row.className = shown.has(name) ? "" : "off";
        row.children[1].textContent = this.short(surface.rates[name] * factor);
        row.children[2].textContent = this.tiny(heights[name]);
      }
      for (const [i, { lastChild: field }] of this.fields.entries()) {
        if (field !== focused) field.value = Number(start[i].toFixed(4));
      }
      this.runs.replaceChildren(...this.drawRuns(names.filter((name) => shown.has(name))));
      this.handle.setAttribute("transform", `translate(${this.at(start)})`);
      this.setSlider(this.clock, t);
      this.player.textContent = this.timer ? "pause" : "play ▸";
      this.heading.textContent = `${this.place}, after ${t} updates; lowest is ${order[0]}`;
    }

    // Return the paths so far, and the names beside them, as near to the heads as they fit.
    drawRuns(names) {
      const [width, height] = this.constructor.SIZE;
      let free = 6;
      return names.map((name) => {
        const points = this.values.paths[name].slice(0, this.t + 1).map((w) => this.at(w));
        const [x, y] = points.at(-1);
        return [name, points, this.clamp(x, 0, width), this.clamp(y, 0, height)];
      }).sort((p, q) => p[3] - q[3]).map(([name, points, cx, cy], i) => {
        const y = Math.min(Math.max(cy, free), height - 6 - 15 * (names.length - 1 - i));
        free = y + 15;
        const [trail, lead] = [points, [[cx, cy], [width + 9, y]]].map((p) => this.line(p));
        return this.make("svg:g", { style: this.look(name) },
          this.make("svg:path", { class: "path", d: trail, "clip-path": "url(#frame)" }),
          this.make("svg:path", { class: "lead", d: lead }),
          this.make("svg:circle", { class: "head", r: 4, cx, cy }),
          this.make("svg:text", { x: width + 12, y }, name));
      });
    }

    // Return a height, which may be very small.
    tiny(value) {
      if (value >= 1e-3 && value < 1e4) return this.show(value);
      return value ? value.toExponential(1).replace("-", "−") : value === null ? "gone" : "0";
    }
  });
