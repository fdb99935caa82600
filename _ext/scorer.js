// The order of what a search finds: Sphinx's own, with the chapters before the pages to look up in.
var Scorer = {
  score: ([page, , , , score]) => score + (/^chapters\/\d/.test(page) ? 100 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

// What is shown of a page: its text, without the bars around it and what is folded.
Search.htmlToText = (html) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  for (const part of page.querySelectorAll(".headerlink, script, style, svg, details")) part.remove();
  return page.querySelector("article")?.textContent ?? "";
};
