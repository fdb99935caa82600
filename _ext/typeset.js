// Draws formulas as SVG with MathJax, in Node.js, for typeset.py: a formula on each line of standard
// input, as JSON, and on each line of standard output what came of it. Glyphs are handed over once.
//
//     node typeset.js FOLDER_OF_MATHJAX

const { createInterface } = require("node:readline");
const { join, resolve } = require("node:path");

const folder = resolve(process.argv[2]);

function refuse(_, error) {
  throw error;
}

// Leaves out of a tree what only MathJax's own scripts and styles would use, and every group that does
// nothing else than move its children, who then move by themselves.
function simplify(adaptor, node) {
  if (adaptor.kind(node) === "#text") return;
  for (const child of [...adaptor.childNodes(node)]) simplify(adaptor, child);
  for (const { name } of adaptor.allAttributes(node)) {
    if (/^(data-.*|role|focusable|xmlns(:xlink)?)$/.test(name)) adaptor.removeAttribute(node, name);
  }
  const others = adaptor.allAttributes(node).filter(({ name }) => name !== "transform");
  const move = (adaptor.getAttribute(node, "transform") ?? "translate(0,0)")
    .match(/^translate\(([-\d.]+),([-\d.]+)\)$/);
  if (adaptor.kind(node) !== "g" || others.length || !move) return;
  for (const child of [...adaptor.childNodes(node)]) {
    const [, x, y, rest] = (adaptor.getAttribute(child, "transform") ?? "")
      .match(/^(?:translate\(([-\d.]+),([-\d.]+)\))?(.*)$/);
    const [right, up] = [+move[1] + +(x ?? 0), +move[2] + +(y ?? 0)].map((sum) => +sum.toFixed(1));
    adaptor.setAttribute(child, "transform", `translate(${right},${up})${rest}`);
    adaptor.insert(child, node);
  }
  adaptor.remove(node);
}

require(join(folder, "node-main.js")).init({
  loader: {
    load: ["adaptors/liteDOM", "input/tex", "output/svg", "a11y/assistive-mml"],
    paths: { mathjax: folder },
    versionWarnings: false,
  },
  tex: { formatError: refuse, packages: { "[-]": ["noundefined", "noerrors"] } },
  svg: { fontCache: "global" },
}).then(async (MathJax) => {
  const { adaptor, output } = MathJax.startup;
  let known = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const { tex, display } = JSON.parse(line);
    const drawn = {};
    try {
      const [svg, assistive] = adaptor.childNodes(await MathJax.tex2svgPromise(tex, { display }));
      simplify(adaptor, svg);
      simplify(adaptor, assistive);
      drawn.svg = adaptor.outerHTML(svg).replace(/xlink:(?=href)/g, "")
        .replace(/transform="translate\((\S+),0\)"><\/use>/g, 'x="$1"/>');
      drawn.mathml = adaptor.innerHTML(assistive);
    } catch (error) {
      drawn.error = error.message;
    }
    const glyphs = adaptor.childNodes(output.fontCache.getCache());
    drawn.glyphs = glyphs.slice(known).map((glyph) => adaptor.outerHTML(glyph));
    known = glyphs.length;
    process.stdout.write(JSON.stringify(drawn) + "\n");
  }
});
