// Truncated backpropagation through time: which loss reaches which step, and what the cut costs.
customElements.get("backprop-lanes") ?? customElements.define("backprop-lanes",
  class extends window.BackpropFigure {
    static style = `${super.style}
      .controls { display: grid; gap: 0 2rem; max-width: 42rem; margin: 0.5rem auto;
        grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); text-align: start; }
      .controls label { display: grid; grid-template-columns: 11em 1fr 2em; align-items: center; }
      .controls output { text-align: right; }
      .controls input { scroll-margin-block: 4rem 40rem; } /* the picture stands below */
      .told { display: grid; grid-template-columns: 1fr 10rem; gap: 0.25rem 1rem;
        max-width: 42rem; margin: 0 auto 0.5rem; text-align: start; }
      .reach { grid-column: 1 / -1; min-height: 4.5em; }
      @container (min-width: 38rem) { .reach { grid-column: 1; } .told svg { grid-row: span 2; } }
      svg { max-width: 30rem; }
      line, circle, .got, .missed { stroke: var(--backward); stroke-width: 1.5; }
      .state { stroke: var(--forward); stroke-width: 2; }
      .guide { stroke: var(--rim); stroke-width: 1; }
      .mine { stroke-width: 3.5; }
      .uncut { stroke-dasharray: 3 3; }
      .got, circle.taken { fill: var(--backward); }
      svg * { pointer-events: none; }
      svg .column { fill: transparent; stroke: none; cursor: pointer; pointer-events: auto; }
      circle { fill: var(--paper); }
      .unheard { stroke: var(--muted); stroke-dasharray: 2 2; }
      svg text { font-size: 14px; }
      svg .inside { fill: var(--paper); stroke: none; }
    `;

    // Return the walks, as pairs of [begin, end, new]: from step end − 1 back to step begin, with
    // the losses from step new on. Steps count from 0 here, and from 1 in the picture.
    walksOf(k1, k2) {
      const { T } = this.given;
      const ends = Array.from({ length: Math.ceil(T / k1) }, (_, i) => Math.min((i + 1) * k1, T));
      return ends.map((end, i) => [Math.max(0, end - k2), end, i * k1]);
    }

    // Return the product of two matrices.
    product(A, B) {
      return A.map((row) => B[0].map((_, j) => row.reduce((sum, a, i) => sum + a * B[i][j], 0)));
    }

    transposed(A) {
      return A[0].map((_, j) => A.map((row) => row[j]));
    }

    // Return the matrix of what f makes of the entries of others.
    each(f, A, ...others) {
      return A.map((row, n) => row.map((a, j) => f(a, ...others.map((B) => B[n][j]))));
    }

    // Return the states: h₀, and that after each step.
    forward() {
      const { X, Wx, b, h0 } = this.data;
      const states = [h0];
      for (const x of X.slice(0, this.given.T)) {
        const parts = [this.product(x, Wx), this.product(states.at(-1), this.Wh), x.map(() => b)];
        states.push(this.each((read, carried, bias) => Math.tanh(read + carried + bias), ...parts));
      }
      return states;
    }

    // Return δ of each step, summed over the walks; `direct` is the slope of each step's own loss.
    walkBack(walks, states, direct) {
      const zero = this.each(() => 0, states[0]);
      const delta = direct.map(() => zero);
      const back = this.transposed(this.Wh);
      for (const [begin, end, fresh] of walks) {
        let d = zero;
        for (let t = end - 1; t >= begin; t -= 1) {
          if (t >= fresh) d = this.each((a, c) => a + c, d, direct[t]);
          const dz = this.each((a, h) => a * (1 - h * h), d, states[t + 1]);
          delta[t] = this.each((a, c) => a + c, delta[t], dz);
          d = this.product(dz, back);
        }
      }
      return delta;
    }

    // Return the gradients of Wx, Wh and b, one number after the other.
    gradient(states, delta) {
      const came = delta.flatMap((rows, t) =>
        rows.map((_, n) => [...this.data.X[t][n], ...states[t][n], 1]));
      return this.product(this.transposed(came), delta.flat()).flat();
    }

    compute() {
      const { T, k1, k2, loss, factor } = this.given;
      this.Wh = this.each((w) => w * factor, this.data.Wh);
      const states = this.forward();
      const direct = this.data.slopes.slice(0, T);
      const [walks, whole] = [this.walksOf(k1, k2), this.walksOf(T, T)];
      const [cut, full] = [walks, whole].map((w) =>
        this.gradient(states, this.walkBack(w, states, direct)));
      const alone = direct.map((d, t) => this.each((a) => (t === loss - 1 ? a : 0), d));
      const lengths = this.walkBack(whole, states, alone).map((d) => Math.hypot(...d.flat()));
      const [c, f] = [cut, full].map((gradient) => Math.hypot(...gradient));
      const mixed = (u, v) => Math.hypot(...cut.map((a, i) => u * a + v * full[i]));
      const counts = direct.map((_, t) => walks.filter(([begin, end]) => begin <= t && t < end)
        .reduce((sum, [, end, fresh]) => sum + end - Math.max(t, fresh), 0));
      return { walks, counts, cut, full, norms: [c, f],
        walked: walks.reduce((sum, [begin, end]) => sum + end - begin, 0),
        left: lengths.map((length) => length / lengths[loss - 1]),
        error: mixed(1, -1) / Math.max(c, f),
        angle: 360 / Math.PI * Math.atan2(mixed(1 / c, -1 / f), mixed(1 / c, 1 / f)) };
    }

    draw() {
      Object.assign(this, { wanted: { ...this.data.given }, given: {}, sliders: {} });
      const most = this.data.X.length;
      const bars = { k1: ["k₁, how often", 1, most, 1], k2: ["k₂, how far", 1, most, 1],
        T: ["T, steps", 2, most, 1], factor: ["recurrent weights ×", 0, 2, 0.1],
        loss: ["look at loss", 1, most, 1] };
      for (const [name, [text, min, max, step]] of Object.entries(bars)) {
        const range = { min, max, step, value: this.wanted[name] };
        this.sliders[name] = this.slider(text, range, (value) => this.set(name, value));
      }
      const tip = { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9,
        markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto", fill: "context-stroke" };
      const marker = this.make("svg:marker", tip, this.make("svg:path", { d: "M0 0 8 4 0 8z" }));
      [this.cost, this.reach] = ["cost", "reach"].map((name) => this.make("p", { class: name }));
      this.plane = this.make("svg:svg", { viewBox: "0 0 160 116", "aria-hidden": true });
      [this.heading, this.scene] = ["title", "g"].map((name) => this.make(`svg:${name}`));
      return [this.make("div", { class: "controls" }, ...Object.values(this.sliders)),
        this.make("div", { class: "told" }, this.cost, this.plane, this.reach),
        this.make("svg:svg", { viewBox: "0 0 416 412", role: "img" },
          this.heading, this.make("svg:defs", {}, marker), this.scene)];
    }

    // Take over a number from a slider or the picture, and say what it has changed.
    set(name, value) {
      this.wanted[name] = value;
      this.update();
      this.say((name === "loss" ? "" : `${this.cost.textContent} `) + this.reach.textContent);
    }

    // Return a number as text that is zero only if the number is.
    few(value, digits) {
      const text = this.show(value, digits);
      return value > 1e-12 && Number(text) === 0 ? `< ${10 ** -digits}` : text;
    }

    update() {
      // No walk or loss is beyond the last step: its slider does not go there.
      for (const [name, label] of Object.entries(this.sliders)) {
        const [slider, shown] = label.children;
        if (["k1", "k2", "loss"].includes(name)) slider.max = this.wanted.T;
        slider.value = this.wanted[name];
        shown.textContent = slider.value;
        this.given[name] = Number(slider.value);
      }
      this.values = this.compute();
      const { walks, counts, walked, left, error, angle } = this.values;
      const { T, k1, k2, loss } = this.given;
      const silent = counts.flatMap((count, t) => (count ? [] : [t + 1]));
      this.walk = walks.find(([begin, end]) => begin < loss && loss <= end);
      const first = this.walk ? this.walk[0] + 1 : 0;
      const reach = !first ? `Loss ${loss} is never heard.`
        : first === 1 ? `Loss ${loss} is heard back to step 1; nothing of it is cut off.`
          : `Loss ${loss} is heard back to step ${first}; without the cut, `
            + `${this.few(100 * left[first - 2], 0)} % of it would reach step ${first - 1}.`;
      const none = silent.length ? ` Steps that no walk reaches: ${silent.join(", ")}.` : "";
      const wrong = `relative error ${this.few(error, 4)}, angle ${this.few(angle, 1)}°.`;
      this.cost.replaceChildren(`BPTT(${k1}, ${k2}), against the full gradient: `,
        this.make("b", {}, wrong), ` ${walked} step${walked === 1 ? "" : "s"} walked.`);
      this.reach.textContent = reach + none;
      const ways = walks.map(([begin, end]) => `from step ${end} to ${begin + 1}`);
      this.heading.textContent = `Walks back ${ways.join(", ")}. `
        + `Losses that reach steps 1 to ${T}: ${counts.join(", ")}.`;
      this.scene.replaceChildren(...this.steps(), ...this.lanes(), ...this.reached(),
        ...this.bars(first));
      this.plane.replaceChildren(...this.gradients());
    }

    // Return the middle of step t, which counts from 1.
    x(t) {
      return 6 + (t - 0.5) * 404 / this.given.T;
    }

    text(text, x, y, look = "", anchor = "middle") {
      return this.make("svg:text", { x, y, class: look, "text-anchor": anchor }, text);
    }

    arrow(look, x1, y1, x2, y2, tip = "url(#tip)") {
      return this.make("svg:line", { class: look, x1, y1, x2, y2, "marker-end": tip });
    }

    // Return the steps' losses, columns that choose one, the state, and a line down from the one.
    steps() {
      const { loss } = this.given;
      const box = { y: 16, width: this.x(1) - this.x(0), height: 392, class: "column" };
      const parts = this.values.counts.flatMap((count, t) => {
        const look = !count ? "unheard" : t + 1 === loss ? "taken" : "";
        const target = { ...box, x: this.x(t + 0.5), click: () => this.set("loss", t + 1) };
        return [this.make("svg:rect", target),
          this.make("svg:circle", { cx: this.x(t + 1), cy: 32, r: 11, class: look }),
          this.text(t + 1, this.x(t + 1), 32, look === "taken" ? "inside" : "")];
      });
      return [this.arrow("guide", this.x(loss), 36, this.x(loss), 256, ""), ...parts,
        this.text("the loss of each step: choose one", 6, 10, "muted", "start"),
        this.arrow("state", 6, 56, 410, 56),
        this.text("the state is never cut", 410, 74, "forward", "end")];
    }

    lanes() {
      const [{ loss }, { walks }] = [this.given, this.values];
      const lanes = walks.flatMap(([begin, end, fresh], lane) => {
        const y = 172 + (lane - (walks.length - 1) / 2) * Math.min(160 / walks.length, 48);
        const to = this.x(begin + 0.55);
        const dots = Array.from({ length: end - Math.max(fresh, begin) }, (_, i) =>
          this.make("svg:circle", { cx: this.x(end - i), cy: y, r: 3.5, class: "taken" }));
        const mine = walks[lane] !== this.walk ? [] : [this.arrow("mine", this.x(loss), y, to, y),
          ...(begin ? [this.arrow("uncut", to, y, 6, y, "")] : [])];
        return [this.arrow("", this.x(end + 0.25), y, to, y), ...mine, ...dots];
      });
      return [this.text("walks back", 6, 74, "muted", "start"), ...lanes];
    }

    // Return how many losses reach each step, with the cut and without.
    reached() {
      const parts = this.values.counts.flatMap((count, t) => [
        this.text(count, this.x(t + 1), 292, count ? "backward new" : "muted new"),
        this.text(this.given.T - t, this.x(t + 1), 310, "muted")]);
      const text = "how many losses reach each step; below, without the cut";
      return [this.text(text, 6, 272, "muted", "start"), ...parts];
    }

    // Return the length of δ at each step, from one loss alone.
    bars(first) {
      const [{ loss }, { left }] = [this.given, this.values];
      const width = this.x(0.6) - this.x(0);
      const parts = left.slice(0, loss).map((share, t) => {
        const height = share && Math.max(56 * share / Math.max(...left), 4); // or none is seen
        const look = first && t + 1 >= first ? "got" : "missed";
        return this.make("svg:rect",
          { x: this.x(t + 0.7), y: 408 - height, width, height, class: look });
      });
      const text = `what is left of loss ${loss} at each step; hollow: cut off`;
      return [this.text(text, 6, 336, "muted", "start"), ...parts];
    }

    // Return both gradients in their plane: true in length and angle.
    gradients() {
      const [c, f] = this.values.norms.map((norm) => norm * 84 / Math.max(...this.values.norms));
      const angle = this.values.angle * Math.PI / 180;
      return [this.text("┅ full", 0, 8, "backward", "start"),
        this.text("━ truncated", 62, 8, "backward", "start"),
        this.arrow("uncut", 44, 26, 44 + f, 26),
        this.arrow("mine", 44, 26, 44 + c * Math.cos(angle), 26 + c * Math.sin(angle))];
    }
  });
