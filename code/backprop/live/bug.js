// Eight programs with a wrong gradient: guess which of them train well, then see what would notice.
customElements.get("backprop-bug") ?? customElements.define("backprop-bug",
  class extends window.BackpropFigure {
    // The frame of the curves: its left, right, top and bottom edge, and the loss at its top.
    static FRAME = { x0: 26, x1: 308, y0: 14, y1: 190, top: 3 };

    draw() {
      Object.assign(this, { at: 1, guesses: {} });
      const [, ...bugs] = this.data.programs;
      this.picks = bugs.map((bug, i) => this.button(i + 1, () => this.pick(i + 1)));
      this.heading = this.make("p", { class: "heading" });
      this.lines = this.make("div", { class: "code" });
      this.answers = [this.button("it will show", () => this.guess(true)),
        this.button("it will look fine", () => this.guess(false))];
      this.onward = this.button("next ▸", () => this.next());
      this.verdict = this.make("p", { class: "verdict" });
      const row = (...parts) => this.make("div", { class: "controls" }, ...parts);
      return [row(...this.picks), this.heading, this.lines, this.verdict,
        row(...this.answers, this.onward), this.picture(), this.judges(), this.legend()];
    }

    picture() {
      const { x0, x1, y0, y1 } = this.constructor.FRAME;
      const svg = this.make("svg:svg", { viewBox: "0 0 380 234", role: "img" });
      this.description = this.make("svg:title");
      const clip = this.make("svg:clipPath", { id: "frame" }, this.make("svg:rect",
        { x: x0, y: y0, width: x1 - x0 + 2, height: y1 - y0 + 2 }));
      svg.append(this.description, clip);
      for (const loss of [0, 1, 2, 3]) {
        const y = this.place(0, loss)[1];
        svg.append(this.make("svg:line", { x1: x0, x2: x1, y1: y, y2: y, class: "grid" }),
          this.make("svg:text", { x: x0 - 8, y, "text-anchor": "end" }, loss));
      }
      const last = this.data.steps.at(-1);
      for (const step of [0, last / 3, (2 * last) / 3, last]) {
        const [x] = this.place(step, 0);
        svg.append(this.make("svg:text", { x, y: y1 + 15, "text-anchor": "middle" }, step));
      }
      svg.append(this.make("svg:text", { x: (x0 + x1) / 2, y: y1 + 32, "text-anchor": "middle" },
        "step"), this.make("svg:text", { x: x0 + 6, y: y0 + 10 }, "loss"));
      this.curves = ["right", "mistake"].map((name) => {
        const path = this.make("svg:path", { class: `curve ${name}`, "clip-path": "url(#frame)" });
        const text = this.make("svg:text", { x: x1 + 6, class: name });
        svg.append(path, text);
        return { name, path, text };
      });
      return svg;
    }

    // Return the place of a loss in the picture.
    place(step, loss) {
      const { x0, x1, y0, y1, top } = this.constructor.FRAME;
      return [x0 + ((x1 - x0) * step) / this.data.steps.at(-1), y1 - ((y1 - y0) * loss) / top];
    }

    // The table of the checks: the right program, this one, and how many each check has caught.
    judges() {
      this.cells = this.data.checks.map(() => [0, 1, 2].map(() => this.make("td")));
      const rows = this.data.checks.map((check, i) => this.make("tr", {},
        this.make("th", { scope: "row" }, check), ...this.cells[i]));
      const group = { colspan: 4, class: "muted" };
      rows.splice(3, 0, this.make("tr", {}, this.make("td", group, "error of the gradient")));
      const heads = ["right", "mistake"].map((name) => this.make("span", { class: name }, name));
      return this.table(["check", ...heads, "caught so far"], rows);
    }

    // Return what the mark means, and which checks give an alarm for the right program too.
    legend() {
      const rash = this.data.checks.filter((_, i) => this.data.programs[0].alarms[i]);
      return this.make("p", { class: "legend" }, this.make("span", { class: "alarm" }, "alarm"),
        ...rash.map((check) => `; ${check} rings for the right program too`));
    }

    pick(number) {
      this.at = number;
      this.update();
      const { name, lines } = this.data.programs[number];
      const told = this.sides(lines).map(([word, side]) =>
        ` ${word}: ${side.map(([, line]) => line).join(", ")}.`);
      this.say(`Mistake ${number}, ${name}.${told.join("")}`);
    }

    guess(seen) {
      if (this.at in this.guesses) return;
      this.guesses[this.at] = seen;
      this.update();
      this.onward.focus({ preventScroll: true });
      const { checks, programs: [right] } = this.data;
      const alarms = checks.flatMap((check, i) => !this.values.alarms[i] ? []
        : right.alarms[i] ? `${check} (the right program too)` : check);
      this.say(`${this.verdict.textContent} Alarm: ${alarms.join(", ")}.`);
    }

    // Go to the next mistake that is not guessed yet, or start again after the last.
    next() {
      if (!(this.at in this.guesses)) return;
      const after = this.picks.map((_, i) => ((this.at + i) % this.picks.length) + 1);
      const open = after.find((number) => !(number in this.guesses));
      if (!open) this.guesses = {};
      this.pick(open ?? 1);
      this.answers[0].focus({ preventScroll: true });
    }

    // Tell whether a program's loss or its accuracy gives it away.
    shows({ alarms }) {
      return alarms[1] || alarms[2];
    }

    // Return a check's result as text.
    result(check, value) {
      if (check === 0) return value ? "yes" : "no";
      if (check === 1) return this.show(value, 2);
      if (check === 2) return `${Math.round(100 * value)} %`;
      return value < 1e-12 ? "< 10⁻¹²" : value < 1e-7 ? "< 10⁻⁷" : this.show(value, 2);
    }

    update() {
      const { programs, steps, checks } = this.data;
      const [right, bug] = [programs[0], programs[this.at]];
      const known = this.at in this.guesses;
      const done = Object.keys(this.guesses).map(Number);
      const hits = done.filter((n) => this.guesses[n] === this.shows(programs[n])).length;
      const caught = checks.map((_, i) => done.filter((n) => programs[n].alarms[i]).length);
      this.values = { at: this.at, known, done, hits, caught, right: right.losses,
        bug: known ? bug.losses : [], share: known ? bug.share : null,
        results: known ? bug.results : [], alarms: known ? bug.alarms : [] };
      this.picks.forEach((pick, i) => {
        pick.setAttribute("aria-pressed", i + 1 === this.at);
        const judged = i + 1 in this.guesses;
        pick.setAttribute("aria-label", `mistake ${i + 1}${judged ? ", judged" : ""}`);
        pick.className = judged ? "done" : "";
      });
      this.write(bug);
      this.answers.forEach((answer, i) => {
        this.enable(answer, !known);
        answer.setAttribute("aria-pressed", known && this.guesses[this.at] === !i);
      });
      this.enable(this.onward, known);
      const over = done.length === this.picks.length;
      this.onward.textContent = over ? "start again" : "next ▸";
      this.onward.className = over ? "again" : "";
      const hit = known && this.guesses[this.at] === this.shows(bug);
      const alone = `a loss of ${this.result(1, bug.results[1])} with `
        + `${this.result(2, bug.results[2])} of new images right`;
      const off = `The gradient is off by ${Math.round(100 * bug.results.at(-1))} %.`;
      const told = this.shows(bug) ? `${alone} shows it.` : `alone, ${alone} looks fine. ${off}`;
      this.verdict.textContent = known
        ? `${hit ? "Yes" : "No"}: ${told} You foresaw ${hits} of ${done.length}.`
        : `${steps.at(-1)} steps with this mistake. Seen alone, will it show?`;
      this.plot([right, known ? bug : null], steps);
      this.cells.forEach((cells, i) => {
        this.fill(cells[0], this.result(i, right.results[i]), right.alarms[i]);
        this.fill(cells[1], known ? this.result(i, bug.results[i]) : "?", known && bug.alarms[i]);
        cells[2].textContent = done.length ? `${caught[i]} of ${done.length}` : "";
      });
    }

    fill(cell, text, alarm) {
      cell.replaceChildren(text, ...alarm ? [this.make("span", { class: "sr" }, ", alarm")] : []);
      cell.className = alarm ? "alarm" : "";
    }

    // Write where a mistake was seen, and its lines beside the right ones.
    write({ name, seen, lines }) {
      const [, repository, issue] = /^(\w[\w-]*\/[\w.-]+)#?(\d*)$/.exec(seen) ?? [];
      const href = `https://github.com/${repository}${issue ? `/issues/${issue}` : ""}`;
      const title = this.make("b", {}, `Mistake ${this.at}: ${name}`);
      const source = repository ? this.make("a", { href }, seen) : seen;
      this.heading.replaceChildren(title, ", seen in ", source);
      this.lines.replaceChildren(...this.sides(lines).flatMap(([word, side], which) =>
        side.map(([mark, line], i) => {
          const label = this.make("span", { class: "muted" }, i ? "" : word);
          const code = lines.length === 2 ? this.changed(line, lines[1 - which][1]) : [line];
          const look = mark === " " ? "muted" : word;
          return this.make("div", {}, label, this.make("code", { class: look }, ...code));
        })));
    }

    // Return the lines of each program, of which a mark says that they are the other's alone.
    sides(lines) {
      return [["right", "+"], ["mistake", "-"]].map(([word, other]) =>
        [word, lines.filter(([mark]) => mark !== other)]);
    }

    // Return a line in three parts, the middle one marked: what is different in another line.
    changed(line, other) {
      const most = Math.min(line.length, other.length);
      let [start, end] = [0, 0];
      while (start < most && line[start] === other[start]) start += 1;
      while (end < most - start && line.at(-1 - end) === other.at(-1 - end)) end += 1;
      const stop = line.length - end;
      return [line.slice(0, start), this.make("b", {}, line.slice(start, stop)), line.slice(stop)];
    }

    plot(programs, steps) {
      const { y0, y1, top } = this.constructor.FRAME;
      const ends = programs.map((program) => program
        && Math.max(this.place(0, Math.min(program.losses.at(-1), top))[1], y0));
      if (programs[1] && Math.abs(ends[0] - ends[1]) < 15) {
        const middle = Math.min((ends[0] + ends[1]) / 2, y1 - 8);
        [ends[0], ends[1]] = [middle + 8, middle - 8];
      }
      programs.forEach((program, i) => {
        const points = program?.losses.map((loss, k) => this.place(steps[k], loss));
        const { path, text } = this.curves[i];
        path.setAttribute("d", points ? this.line(points) : "");
        const out = program && program.losses.at(-1) > top ? " ↑" : "";
        text.textContent = program ? this.curves[i].name + out : "";
        text.setAttribute("y", ends[i] ?? 0);
      });
      const [right, bug] = programs;
      const tell = ({ losses }) => losses.filter((_, k) => k % 10 === 0).join(", ");
      this.description.textContent = `Loss of the right program: ${tell(right)}`
        + (bug ? `; with the mistake: ${tell(bug)}` : "");
    }

    static style = `${window.BackpropFigure.style}
      .right { color: var(--series-1); }
      .mistake { color: var(--series-2); }
      .curve { fill: none; stroke: currentColor; stroke-width: 2; }
      .curve.mistake { stroke-dasharray: 6 3; }
      .grid { stroke: var(--rim); stroke-width: 0.5; }
      .heading, .verdict, .legend { text-align: center; text-wrap: balance; }
      .verdict { min-height: 3em; }
      .heading a { color: inherit; overflow-wrap: anywhere; }
      .code { width: fit-content; margin: 0.25rem auto; text-align: left; }
      .code div { display: flex; gap: 0.5rem; align-items: baseline; }
      .code span { flex: 0 0 3.4rem; text-align: right; }
      code { font-size: 0.85rem; white-space: pre-wrap; overflow-wrap: anywhere; }
      code b { text-decoration: underline; text-underline-offset: 0.2em; }
      @media (max-width: 30rem) {
        code { font-size: 0.72rem; }
        button, table { font-size: 0.82rem; }
        button { padding: 0 0.5rem; }
        th, td { padding: 0.1rem 0.3rem; }
      }
      .controls { gap: 0.35rem 0.5rem; }
      .controls button { scroll-margin-block: 10rem 32rem; } /* the code, and curve and table */
      .again { margin-inline-start: 3rem; }
      .controls:first-of-type button { padding: 0; width: 2rem; }
      .done { background: color-mix(in srgb, var(--rim) 40%, transparent); }
      [aria-pressed="true"] { border: 2px solid currentColor; font-weight: 700; }
      th:first-child, td[colspan] { text-align: left; }
      th:first-child, td { white-space: nowrap; }
      td[colspan] { padding-top: 0.4rem; }
      .alarm { font-weight: 700; }
      .alarm::before { content: "● "; }
      .sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    `;
  });
