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
      drawn.svg = adaptor.outerHTML(svg);
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
