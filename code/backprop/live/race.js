// A race of the eight optimizers, all from one start, on a surface that you choose.
customElements.get("backprop-race") ?? customElements.define("backprop-race",
  class extends window.BackpropFigure {
    static style = `${window.BackpropFigure.style}
      .left { flex: 1 1 20rem; min-width: 0; max-width: 27rem; } output { min-width: 2em; }
      .left label, td label { display: flex; flex: 1; gap: 0.4rem; align-items: center; }
      .left * { flex-wrap: nowrap; white-space: nowrap; } .left input { flex: 1; width: 1rem; }
      th, td { padding-inline: 0.3rem; } th:first-child { text-align: left; }
      th:nth-child(3) { min-width: 4.5em; } tbody tr:not(:has(:checked)) { color: var(--muted); }
      svg text, .head { fill: var(--look); font-size: 12px; } .head { stroke: var(--paper); }
      .level { fill: none; stroke: var(--rim); stroke-width: 0.75; }
      .path { stroke-width: 1.75; stroke-dasharray: var(--dash); }
      .lead { stroke: var(--look); stroke-dasharray: 1 2.5; }
      .controls select { scroll-margin-block: 4rem 28rem; } /* above the picture */
      .start, .lowest { fill: var(--paper); stroke: currentColor; stroke-width: 1.5; }
      .sample { width: 1.6rem; border-top: 2px var(--line, solid) var(--look); }
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
      Object.assign(this, { t: 0, factor: 1, shown: new Set(this.names), rows: {} });
      const surface = this.choice("surface", Object.keys(surfaces), (name) => this.choose(name));
      const factor = this.choice("all rates ×", factors, (n) => this.move({ factor: +n }), 1);
      this.formula = this.make("span");
      this.fields = ["a", "b"].map((name, i) => this.field(name, { step: 0.1 }, (n) =>
        this.move({ start: this.start.map((old, k) => (k === i ? n : old)) })));
      const range = { min: 0, max: updates, step: 1, value: 0 };
      this.clock = this.slider("update", range, (t) => this.move({ t }));
      const bar = (...parts) => this.make("div", { class: "controls" }, ...parts);
      const race = [this.picture(), bar(this.runner(), this.clock)];
      const rows = this.names.map((name) => this.row(name));
      const both = bar(this.make("div", { class: "left" }, ...race),
        this.table(["optimizer", "rate", "f", "place"], rows));
      this.choose(Object.keys(surfaces)[0]);
      const start = bar("start anywhere in the picture, or at", ...this.fields);
      return [bar(surface, factor, this.formula), both, start];
    }

    // Return the button that lets them run from stop to stop: at once, if nothing should move.
    runner() {
      const button = this.player(() => {
        const { t, still, data: { stops, updates } } = this;
        this.t = still ? stops.find((stop) => stop > t) ?? stops[0] : (t + 1) % (updates + 1);
        this.update();
        return !stops.includes(this.t);
      }, () => (this.still ? 0 : 100));
      const { play } = this;
      this.play = (on) => { play(on); if (!on) this.tell(); };
      return button;
    }

    look(name) {
      const dashed = /Nesterov|W/.test(name) ? "; --dash: 5 3; --line: dashed" : "";
      return `--look: var(--series-${this.constructor.COLORS[name]})${dashed}`;
    }

    picture() {
      const [width, height] = this.constructor.SIZE;
      const title = this.make("svg:title", {}, "The surface from above, and all paths so far");
      this.levels = this.make("svg:path", { class: "level" });
      this.lowest = this.make("svg:path", { class: "lowest" });
      this.runs = this.make("svg:g");
      this.handle = this.make("svg:g", {}, this.make("svg:circle", { class: "start", r: 5 }),
        this.make("svg:circle", { class: "grip", r: 22 }));
      const frame = () => this.make("svg:rect", { width, height });
      this.axes = [[5, height + 11], [5, 11]].map(([x, y]) =>
        this.make("svg:text", { x, y, style: "--look: var(--muted)" }));
      const area = this.make("svg:g", {}, frame(), this.levels, this.lowest, ...this.axes,
        this.runs, this.handle);
      this.drag(area, this.handle, (x, y) =>
        this.move({ start: this.point([x / width, 1 - y / height]).map((n) => +n.toFixed(2)) }));
      return this.make("svg:svg", { viewBox: `-1 -6 352 ${height + 25}`, role: "img" },
        title, this.make("svg:clipPath", { id: "frame" }, frame()), area);
    }

    // Return the row of one optimizer, which also says whether it is in the picture.
    row(name) {
      const change = ({ target }) => {
        this.shown[target.checked ? "add" : "delete"](name);
        this.move({ t: this.t });
      };
      const box = this.make("input", { type: "checkbox", checked: "", change });
      const sample = this.make("span", { class: "sample", style: this.look(name) });
      const label = this.make("td", {}, this.make("label", {}, box, sample, name));
      const cells = [label, this.make("td"), this.make("td"), this.make("td")];
      return (this.rows[name] = this.make("tr", {}, ...cells));
    }

    choose(name) {
      this.surface = this.data.surfaces[name];
      this.formula.textContent = this.surface.formula;
      this.levels.setAttribute("d", this.contours());
      const cross = (w) => `M${this.at(w)}m-5 0h10m-5 -5v10`;
      this.lowest.setAttribute("d", this.surface.lowest.map(cross).join(""));
      const [a, b] = this.surface.box.map((ends) => ends.map((n) => this.short(n)).join(" to "));
      [this.axes[0].textContent, this.axes[1].textContent] = [`a from ${a}`, `b from ${b}`];
      this.move({ place: name, start: this.surface.start });
    }

    // Change what is given, and tell what comes of it. Who is running then starts again.
    move(given) {
      Object.assign(this, this.timer && { t: 0 }, given);
      this.start = this.start.map((n, i) => this.clamp(n, ...this.surface.box[i]));
      this.update();
      this.tell();
    }

    tell() {
      const { t, start, order, heights } = this.values;
      const list = order.map((name) => `${name} ${this.tiny(heights[name])}`).join(", ");
      const [a, b] = start.map((n) => this.short(n));
      this.say(`At update ${t}, lowest first: ${list || "none"}. The start is a ${a}, b ${b}.`);
    }

    update() {
      const { t, names, shown, factor, surface, start, constructor: { SURFACES } } = this;
      const [height] = SURFACES[surface.form];
      const paths = Object.fromEntries(names.map((name) => [name, this.run(name)]));
      const heights = Object.fromEntries(names.map((name) =>
        [name, t < paths[name].length ? height(...paths[name][t], surface) : null]));
      const rank = (name) => heights[name] ?? Number.MAX_VALUE;
      const order = [...shown].sort((p, q) => rank(p) - rank(q));
      this.values = { surface: this.place, factor, t, start, paths, heights, order };
      for (const [name, row] of Object.entries(this.rows)) {
        const [, rate, f, place] = row.children;
        rate.textContent = this.short(surface.rates[name] * factor);
        f.textContent = this.tiny(heights[name]);
        place.textContent = heights[name] === null || !shown.has(name) ? "–"
          : 1 + order.findIndex((other) => heights[other] === heights[name]);
      }
      for (const [i, { lastChild: field }] of this.fields.entries()) {
        if (field !== this.shadowRoot.activeElement) field.value = Number(start[i].toFixed(4));
      }
      this.runs.replaceChildren(...this.drawRuns(names.filter((name) => shown.has(name))));
      this.handle.setAttribute("transform", `translate(${this.at(start)})`);
      this.setSlider(this.clock, t);
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
      return value ? value.toExponential(1).replace("-", "−") : value === null ? "diverges" : "0";
    }
  });
