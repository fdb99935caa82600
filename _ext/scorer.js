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
