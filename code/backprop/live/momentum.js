// Where momentum converges and how fast: a point on the map of ηλ and μ, its roots, its path.
customElements.get("backprop-momentum") ?? customElements.define("backprop-momentum",
  class extends window.BackpropFigure {
    static style = `${window.BackpropFigure.style}
      .steep { --look: var(--series-2); } .flat { --look: var(--series-1); }
      .ring { fill: currentColor; stroke: currentColor; stroke-width: 0.75;
        stroke-opacity: 0.7; }
      .axis { fill: none; stroke: var(--rim); }
      .dotted { fill: none; stroke: var(--muted); stroke-dasharray: 1.5 3; }
      .dashed { fill: none; stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 6 4; }
      .dots { fill: none; stroke: var(--look); stroke-width: 4.5; stroke-linecap: round; }
      .bar { stroke: currentColor; stroke-width: 2.5; }
      svg .mark { fill: var(--look); stroke: var(--paper); stroke-width: 1.5; }
      svg text.small { font-size: 11.5px; }
      b { color: var(--look); }
      output { display: inline-block; min-width: 2.2em; }
      .lines { min-height: 5em; text-align: center; }
      @container (max-width: 30rem) {
        input[type="range"] { width: 70cqw; } .lines { min-height: 9.5em; }
      }
    `;
    static MOST = 50000; // updates; a path that has not arrived by then never will

    // Where a point of the map stands in the picture, a root of the polynomial, and an update.
    onMap(x, mu) { return [34 + 75 * x, 236 - 222 * mu]; }
    onPlane(re, im) { return [88 + 50 * this.clamp(re, -1.5, 1.2), 362 - 50 * im]; }
    onTime(t, w) { return [192 + 160 * t / this.data.updates, 362 - 50 * w]; }

    // Follow one direction of a valley: its two roots, the size R of the larger one, the path from
    // w = 1, at first at rest, and after how many updates it stays near 0 (null: never).
    follow(x) {
      const { mu, data: { below, updates }, constructor: { MOST } } = this;
      const middle = (1 + mu - x) / 2;
      const square = middle * middle - mu;
      const root = Math.sqrt(Math.abs(square));
      const roots = square < 0 ? [[middle, root], [middle, -root]]
        : [[middle + root, 0], [middle - root, 0]];
      const path = [1];
      let [w, v, last] = [1, 0, 0];
      for (let t = 1; t <= updates || (t <= MOST && !(Math.hypot(w, v) < 1e-99)); t++) {
        v = mu * v - x * w;
        w += v;
        if (t <= updates) path.push(w);
        if (!(Math.abs(w) < below)) last = t;
      }
      const R = Math.max(...roots.map((r) => Math.hypot(...r)));
      return { x, roots, R, path, count: last < MOST ? last + 1 : null };
    }

    // Return in words what the roots of a direction make of w.
    tell({ x, roots: [[a, im], [b]], R }) {
      const pair = `roots ${this.show(a, 3)} and ${this.show(b, 3)}`;
      if (x === 0) return `${pair}: w stays where it is`;
      if (R < 1e-9) return "both roots 0: w is there at once";
      const way = im ? `two complex roots of size ${this.show(R, 3)}: w swings`
        : `${pair}: w ${a + b > 0 ? "creeps" : "jumps from side to side"}`;
      return R > 1 + 1e-9 ? `${way}, ever farther` : way;
    }

    draw() {
      Object.assign(this, { x: this.data.x, mu: this.data.mu, kappa: this.data.kappas[0] });
      const slider = (text, name, max) => {
        const range = { min: 0, max, step: 0.01, value: this[name] };
        return this.slider(text, range, (value) => this.move({ [name]: value }));
      };
      this.sliders = { x: slider("ηλ", "x", this.data.farthest), mu: slider("μ", "mu", 1) };
      const names = this.data.kappas.map((k) => (k > 1 ? `κ = ${k}` : "one direction"));
      const kappa = this.choice("valley", names, (name) =>
        this.move({ kappa: this.data.kappas[names.indexOf(name)] }));
      this.lines = this.make("div", { class: "lines" });
      const controls = [...Object.values(this.sliders), kappa];
      return [this.picture(), this.make("div", { class: "controls" }, ...controls), this.lines];
    }

    // Change what is given, and tell what comes of it.
    move(given) {
      Object.assign(this, given);
      for (const [name, slider] of Object.entries(this.sliders)) this.setSlider(slider, this[name]);
      this.update();
      this.say(this.lines.textContent);
    }

    path(look, ...points) {
      return this.make("svg:path", { class: look, d: this.line(points) });
    }

    text([x, y], text, look = "", anchor = "middle") {
      return this.make("svg:text", { x, y, class: look, "text-anchor": anchor }, text);
    }

    picture() {
      this.heading = this.make("svg:title");
      const circle = this.make("svg:circle", { r: 22, class: "grip" });
      this.handle = this.make("svg:g", {}, circle, this.mark([0, 0], "steep", 7));
      this.marks = this.make("svg:g");
      const map = this.make("svg:g", {}, ...this.map(), this.marks, this.handle);
      this.drag(map, this.handle, (left, top) => {
        const near = (n, most) => Math.round(this.clamp(n, 0, most) * 100) / 100;
        const [x, mu] = [(left - 34) / 75, (236 - top) / 222];
        this.move({ x: near(x, this.data.farthest), mu: near(mu, 1) });
      });
      this.plane = this.make("svg:g");
      this.paths = this.make("svg:g");
      const frame = this.make("svg:rect", { x: 190, y: 287, width: 168, height: 150 });
      const clip = this.make("svg:defs", {}, this.make("svg:clipPath", { id: "frame" }, frame));
      return this.make("svg:svg", { viewBox: "0 0 360 450", role: "img" }, this.heading, clip, map,
        ...this.axes(), this.plane, this.paths);
    }

    // Return the map. The places of one R are three straight pieces: two on which it is a real
    // root, and a level one between them, where the roots are complex.
    map() {
      const at = (points) => points.map((point) => this.onMap(...point));
      const ring = (R) => `${this.line(at(
        [[1 - R, 0], [(1 - R) ** 2, R * R], [(1 + R) ** 2, R * R], [1 + R, 0]]))}z`;
      const rings = this.data.levels.map((R, n, levels) => this.make("svg:path", { class: "ring",
        "fill-rule": "evenodd", "fill-opacity": 0.03 + 0.07 * n,
        d: ring(R) + (n ? ring(levels[n - 1]) : "") }));
      const bowl = Array.from({ length: 81 }, (_, n) => [(n / 40) ** 2, (n / 40 - 1) ** 2]);
      const [right, edge] = [this.data.farthest, this.onMap(3.02, 0.42)];
      const name = (R) => (R < 1 ? `${R}` : "R = 1");
      return [
        this.make("svg:rect", { x: 34, y: 14, width: 75 * right, height: 222 }), ...rings,
        this.path("dashed", ...at(bowl)),
        ...this.data.levels.map((R) => this.text(this.onMap(0.73, R * R), name(R), "small")),
        ...[0, 1, 2, 3, 4].map((x) => this.text([34 + 75 * x, 247], `${x}`, "small muted")),
        ...[0, 0.5, 1].map((mu) => this.text([28, 236 - 222 * mu], `${mu}`, "small muted", "end")),
        this.text([349, 262], "ηλ", "", "end"), this.text([12, 80], "μ"),
        this.text(this.onMap(2.1, 0.72), "complex roots"),
        this.text(this.onMap(3.7, 0.32), "diverges"),
        this.make("svg:g", { transform: `translate(${edge}) rotate(-56)` },
          this.text([0, 0], "edge: ηλ = 2 (1 + μ)", "small")),
      ];
    }

    // Return what stands still below the map: the unit circle, and the axes of the path.
    axes() {
      const [cx, cy] = this.onPlane(0, 0);
      this.circle = this.make("svg:circle", { cx, cy, class: "dotted" });
      return [
        this.make("svg:circle", { cx, cy, r: 50, class: "axis" }), this.circle,
        this.path("axis", [13, cy], [150, cy]), this.path("axis", [cx, 292], [cx, 432]),
        this.text([13, 287], "the two roots", "small", "start"),
        this.text(this.onPlane(1.1, -0.2), "1", "small muted"),
        ...[1, 0, -1].flatMap((w) => [this.path("axis", this.onTime(0, w), [352, 362 - 50 * w]),
          this.text([184, 362 - 50 * w], this.short(w), "small muted", "end")]),
        this.text([184, 287], "w", "small", "end"),
        this.text([352, 441], `updates 0 to ${this.data.updates}`, "small muted", "end"),
      ];
    }

    // A dot for the steepest direction, a square for the flattest.
    mark([x, y], look, r = 5.5) {
      const box = { x: x - r + 1, y: y - r + 1, width: 2 * r - 2, height: 2 * r - 2 };
      return look === "flat" ? this.make("svg:rect", { ...box, class: "mark flat" })
        : this.make("svg:circle", { cx: x, cy: y, r, class: "mark steep" });
    }

    update() {
      const { x, mu, kappa } = this;
      const ends = (kappa > 1 ? [x, x / kappa] : [x]).map((end) => this.follow(end));
      const looks = ["steep", "flat"];
      const counts = ends.map((end) => end.count);
      const R = Math.max(...ends.map((end) => end.R));
      const count = counts.includes(null) ? null : Math.max(...counts);
      this.values = { x, mu, kappa, R, count, ends };
      const [left, top] = this.onMap(x, mu);
      this.handle.setAttribute("transform", `translate(${left} ${top})`);
      this.circle.setAttribute("r", 50 * Math.sqrt(mu));
      const size = `R = ${this.show(R, 3)}`;
      this.marks.replaceChildren(this.path("bar", this.onMap(x / kappa, mu), [left, top]),
        ...ends.slice(1).map((end) => this.mark(this.onMap(end.x, mu), "flat", 6)),
        this.text([191, 265], size, "new"));
      const corner = this.onPlane(Math.sqrt(mu / 2) + 0.12, Math.sqrt(mu / 2) + 0.12);
      this.plane.replaceChildren(...(mu > 0.02 ? [this.text(corner, "√μ", "small muted")] : []),
        ...ends.flatMap(({ roots }, n) =>
          roots.map((root) => this.mark(this.onPlane(...root), looks[n]))));
      this.paths.replaceChildren(...ends.map(({ path, count }, n) => {
        const gone = path.findIndex((w) => Math.abs(w) > 20); // once it is, it is not shown
        const points = path.slice(0, gone < 0 ? path.length : gone + 1).map(
          (w, t) => this.onTime(t, w));
        const dots = points.map((point) => `${this.line([point])}h0`).join("");
        const group = this.make("svg:g", { class: looks[n] }, this.make("svg:g",
          { "clip-path": "url(#frame)" }, this.path("path", ...points),
          this.make("svg:path", { class: "dots", d: dots })));
        if (count && count <= this.data.updates) {
          const [px] = this.onTime(count, 0);
          group.append(this.path("path", [px, 340], [px, 362]),
            this.text([px, 332 - 14 * n], `${count}`, "small"));
        }
        return group;
      }));
      this.lines.replaceChildren(...this.tellAll(ends, R, count));
      this.heading.textContent = `The map of momentum, with ηλ ${x} and μ ${mu}: ${size}`;
    }

    // Return what there is to say of the point: one line for each end, and one for all.
    tellAll(ends, R, count) {
      const names = ends.length > 1 ? ["● steepest", "■ flattest"] : ["●"];
      const lines = ends.map((end, n) => this.make("p", {},
        this.make("b", { class: n ? "flat" : "steep" }, names[n]),
        ` ηλ = ${this.show(end.x, n ? 4 : 2)}, ${this.tell(end)}. `));
      const below = `stays below 1/${Math.round(1 / this.data.below)}`;
      const when = count === null ? ` never ${below}.` : ` ${below} after ${count} update`;
      const s = count === null ? "" : count > 1 ? "s." : ".";
      return [...lines, this.make("p", {}, `R = ${this.show(R, 3)}: |w|`, `${when}${s}`)];
    }
  });
