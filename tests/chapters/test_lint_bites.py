"""A good small notebook keeps every rule, and each way to break a rule is noticed by that rule."""

import re

import notebook_rules
import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from backprop import __version__

ALT = "A straight line that rises from the lower left."

RULES = [*notebook_rules.RULES, *notebook_rules.RULES_FOR_CHAPTERS]


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def picture():
    return new_output(
        "display_data", {"image/svg+xml": "<?xml version='1.0'?>\n" * 99, "text/plain": "<Figure>"}
    )


def figure_metadata():
    return {"mystnb": {"image": {"alt": ALT}, "figure": {"caption": "Losses over time."}}}


def exercise(number, stars):
    text = f"### Exercise 2.{number} {stars} Do it\n\nHow?"
    return new_markdown_cell(text, metadata={"tags": ["exercise"]})


def solution():
    text = "<details>\n<summary>Solution</summary>\n\nSo.\n\n</details>"
    return new_markdown_cell(text, metadata={"tags": ["solution"]})


@pytest.fixture
def notebook():
    """A notebook that keeps all rules; the names below it are numbers of its cells."""
    return new_notebook(
        metadata={"kernelspec": {"display_name": "Python 3", "name": "python3"}},
        cells=[
            new_markdown_cell("# Title\n\nA question."),
            new_code_cell(
                "import backprop",
                execution_count=1,
                metadata=notebooks.fold({"tags": ["setup"]}),
                outputs=[stream(f"backprop {__version__} is ready.\n")],
            ),
            new_markdown_cell("## Part\n\n```\n#### not a heading\n```\n\n### Detail\n\n## Part"),
            new_code_cell("print(1)", execution_count=2, outputs=[stream("1\n")]),
            new_code_cell(
                "plt.show()", execution_count=3, outputs=[picture()], metadata=figure_metadata()
            ),
            new_markdown_cell("## Exercises"),
            exercise(1, "★"),
            solution(),
            exercise(2, "★★"),
            new_code_cell(
                "print(2)",
                execution_count=4,
                metadata=notebooks.fold({"tags": ["solution"]}),
                outputs=[stream("2\n")],
            ),
            *(cell for n in (3, 4, 5) for cell in (exercise(n, "★★★"), solution())),
            new_code_cell(
                "def double(x):\n    pass  # your code\n\n\nexercises.check(double)",
                execution_count=5,
                metadata={"tags": ["exercise"]},
                outputs=[stream("double: nothing is returned yet.\n")],
            ),
            new_markdown_cell(
                "<details>\n<summary>Hint</summary>\n\nAdd.\n\n</details>",
                metadata={"tags": ["hint"]},
            ),
            new_code_cell(
                "def double(x):\n    return x + x\n\n\nexercises.check(double)",
                execution_count=6,
                metadata=notebooks.fold({"tags": ["solution"]}),
                outputs=[stream("double: right.\n")],
            ),
            new_markdown_cell("## Further reading\n\nhttps://example.org/home/page"),
        ],
    )


TITLE, SETUP, PART, PRINT, FIGURE = 0, 1, 2, 3, 4
EXERCISE_1, SOLUTION_1, EXERCISE_2, SOLUTION_2 = 6, 7, 8, 9
STUB, HINT, CHECKED = 16, 17, 18


def test_a_good_notebook_keeps_every_rule(notebook):
    assert {rule.__name__: rule(notebook) for rule in RULES} == {
        rule.__name__: [] for rule in RULES
    }


BREAKS = []


def breaks(rule, message):
    """Register a function that breaks `rule`, which must then answer with `message`."""

    def register(change):
        BREAKS.append(pytest.param(change, rule, message, id=change.__name__))
        return change

    return register


@breaks("is_valid", "'source' is a required property")
def cell_without_source(nb):
    del nb.cells[PRINT]["source"]


@breaks("is_executed_in_order", r"expected the execution counts 1 to 6, got \[1, 3, 2, 4, 5, 6\]")
def executed_out_of_order(nb):
    nb.cells[PRINT].execution_count, nb.cells[FIGURE].execution_count = 3, 2


@breaks("is_executed_in_order", r"got \[1, 2, None, 4, 5, 6\]")
def not_executed(nb):
    nb.cells[FIGURE].execution_count = None


@breaks("is_executed_in_order", r"got \[2, 3, 4, 5, 6, 7\]")
def executed_twice(nb):
    for _, cell in notebook_rules.cells(nb, "code"):
        cell.execution_count += 1


@breaks("has_no_error_output", "cell 3: has error output")
def error_output(nb):
    nb.cells[PRINT].outputs.append(new_output("error", ename="E", evalue="", traceback=[]))


@breaks("has_no_error_output", "cell 3: has stderr output")
def stderr_output(nb):
    nb.cells[PRINT].outputs.append(stream("Warning", "stderr"))


@breaks("has_no_trace_of_a_machine", "cell 3: contains '/home/'")
def path_in_output(nb):
    nb.cells[PRINT].outputs = [stream("/home/ada/book\n")]


@breaks("has_no_trace_of_a_machine", "cell 3: contains '/tmp/'")
def path_in_source(nb):
    nb.cells[PRINT].source = "open('/tmp/data')"


@breaks("has_no_trace_of_a_machine", r"cell 0: contains 'C:\\\\Users'")
def path_in_text(nb):
    nb.cells[TITLE].source += "\n\nOpen C:\\Users\\Ada."


@breaks("has_no_trace_of_a_machine", "cell 3: contains 'at 0x7f")
def memory_address(nb):
    nb.cells[PRINT].outputs = [
        new_output("execute_result", {"text/plain": "<Line2D at 0x7fe1b2c3d4e5>"})
    ]


@breaks("has_short_cells", "cell 3: has 21 lines, expected at most 20")
def long_cell(nb):
    nb.cells[PRINT].source = "\n".join(["x = 1"] * 21)


@breaks("shows_little_code", "shows 221 lines of code, expected at most 220")
def much_code_in_sight(nb):
    lines = "\n\n".join(["x = 1"] * 20)
    nb.cells[PRINT:PRINT] = [new_code_cell(lines) for _ in range(10)]
    nb.cells[PRINT].source += "\nx = 1" * 16


@breaks("has_short_outputs", "cell 3: prints 61 lines, expected at most 60")
def long_output(nb):
    nb.cells[PRINT].outputs = [stream("1\n" * 30), stream("2\n" * 31)]


@breaks("asserts_what_is_not_compared", "cell 3: its output is not compared")
def approximation_without_assertion(nb):
    nb.cells[PRINT].outputs = [stream("accuracy ≈ 92.6 %\n")]


@breaks("asserts_what_is_not_compared", "cell 3: its output is not compared")
def ignored_without_assertion(nb):
    nb.cells[PRINT].metadata = {"tags": ["nbval-ignore-output"]}


@breaks("describes_each_picture", "cell 4: expected an alt text of 20 characters, got ''")
def no_alt(nb):
    nb.cells[FIGURE].metadata.mystnb.pop("image")


@breaks("describes_each_picture", "cell 4: expected an alt text of 20 characters, got 'figure'")
def short_alt(nb):
    nb.cells[FIGURE].metadata.mystnb.image.alt = "figure"


@breaks("describes_each_picture", "cell 4: the picture has no caption")
def no_caption(nb):
    nb.cells[FIGURE].metadata.mystnb.pop("figure")


@breaks("describes_each_picture", "cell 4: the alt text repeats the caption")
def alt_repeats_caption(nb):
    nb.cells[FIGURE].metadata.mystnb.figure.caption = ALT


@breaks("describes_each_picture", "cell 4: describes a picture but shows none")
def picture_is_gone(nb):
    nb.cells[FIGURE].outputs = []


@breaks("describes_each_picture", "cell 2: expected a longer alt text than ''")
def markdown_picture_without_alt(nb):
    nb.cells[PART].source += "\n\n![](net.svg)"


@breaks("describes_each_picture", "cell 2: write pictures as")
def html_picture(nb):
    nb.cells[PART].source += '\n\n<img src="net.svg">'


@breaks("begins_with_setup", r"got it on cells \[\]")
def no_setup(nb):
    nb.cells[SETUP].metadata = {}


@breaks("begins_with_setup", r"got it on cells \[3\]")
def code_before_setup(nb):
    nb.cells[SETUP], nb.cells[PRINT] = nb.cells[PRINT], nb.cells[SETUP]


@breaks("begins_with_setup", r"got \['backprop 0\.0\.0")
def setup_of_an_old_version(nb):
    nb.cells[SETUP].outputs = [stream("backprop 0.0.0 is ready.\n")]


@breaks("uses_plain_syntax", "cell 2: backtick directive")
def backtick_directive(nb):
    nb.cells[PART].source += "\n\n```{note}\nNo.\n```"


@breaks("uses_plain_syntax", "cell 2: glue")
def glue_in_text(nb):
    nb.cells[PART].source += " {glue:}`loss`"


@breaks("uses_plain_syntax", "cell 3: glue")
def glue_in_code(nb):
    nb.cells[PRINT].source = "glue('loss', 1)"


@breaks("has_orderly_headings", r"expected one title, .* got \[\]")
def no_title(nb):
    nb.cells[TITLE].source = "A question."


@breaks("has_orderly_headings", r"got \['Title', 'Another'\]")
def two_titles(nb):
    nb.cells[PART].source = "# Another"


@breaks("has_orderly_headings", "expected one title, at the top")
def text_before_title(nb):
    nb.cells[TITLE].source = "A question.\n\n# Title"


@breaks("has_orderly_headings", "cell 2: level 3 heading 'Part' follows level 1")
def skipped_level(nb):
    nb.cells[PART].source = "### Part"


@breaks("has_only_known_metadata", "notebook metadata 'widgets'")
def widget_state(nb):
    nb.metadata.widgets = {}


@breaks("has_only_known_metadata", "cell 3: widget output")
def widget_output(nb):
    nb.cells[PRINT].outputs.append(
        new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})
    )


@breaks("has_only_known_metadata", "cell 3: metadata 'execution'")
def execution_times(nb):
    nb.cells[PRINT].metadata = {"execution": {}}


@breaks("has_only_known_metadata", "cell 3: tag 'skip-execution'")
def skipped_execution(nb):
    nb.cells[PRINT].metadata = {"tags": ["skip-execution"]}


@breaks("has_only_known_metadata", "expected the kernel python3, got my-env")
def own_kernel(nb):
    nb.metadata.kernelspec.name = "my-env"


@breaks("says_what_each_cell_is", "cell 3: expected one of the tags setup, .* got {'hide-input'}")
def folded_without_a_kind(nb):
    nb.cells[PRINT].metadata = {"tags": ["hide-input"]}


@breaks("says_what_each_cell_is", "cell 4: is not folded as its tag says")
def figure_in_the_open(nb):
    nb.cells[FIGURE].metadata["tags"] = ["figure"]


@breaks("has_exercises_with_solutions", r"expected 5 to 8 .* headings in \[6, 8, 10, 12\]")
def too_few_exercises(nb):
    del nb.cells[STUB - 2 : -1]


@breaks("has_exercises_with_solutions", "expected 5 to 8 cells")
def too_many_exercises(nb):
    more = [(exercise(number, "★"), solution()) for number in range(6, 10)]
    nb.cells[-1:-1] = [cell for pair in more for cell in pair]


@breaks("has_exercises_with_solutions", r"headings in \[6, .* tags on \[8, ")
def exercise_without_its_tag(nb):
    nb.cells[EXERCISE_1].metadata = {}


@breaks("has_exercises_with_solutions", "cell 6: expected it to begin '### Exercise 2.1 ★ Title'")
def exercise_without_stars(nb):
    nb.cells[EXERCISE_1].source = nb.cells[EXERCISE_1].source.replace("★ ", "")


@breaks("has_exercises_with_solutions", "cell 6: expected it to begin '### Exercise 2.1 ★ Title'")
def text_before_an_exercise(nb):
    nb.cells[EXERCISE_1].source = "Now you.\n\n" + nb.cells[EXERCISE_1].source


@breaks("has_exercises_with_solutions", "cell 6: expected it to begin '### Exercise 2.1 ★ Title'")
def wrong_number(nb):
    nb.cells[EXERCISE_1] = exercise(7, "★")


@breaks("has_exercises_with_solutions", "cell 6: no cell below exercise 1 has the tag 'solution'")
def no_solution_in_text(nb):
    del nb.cells[SOLUTION_1]


@breaks("has_exercises_with_solutions", "cell 8: no cell below exercise 2 has the tag 'solution'")
def solution_in_the_open(nb):
    nb.cells[SOLUTION_2].metadata = {}


@breaks("has_exercises_with_solutions", "cell 7: the tag 'solution' and <details>")
def solution_without_its_tag(nb):
    nb.cells[SOLUTION_1].metadata = {}


@breaks("has_exercises_with_solutions", "cell 7: the tag 'solution' and <details>")
def exercise_inside_its_solution(nb):
    nb.cells[SOLUTION_1].source = "How?\n\n" + nb.cells[SOLUTION_1].source


@breaks("has_exercises_with_solutions", "cell 7: the tag 'solution' and <details>")
def empty_solution(nb):
    nb.cells[SOLUTION_1].source = "<details><summary>Solution</summary></details>"


@pytest.mark.parametrize(("change", "rule", "message"), BREAKS)
def test_rule_notices(notebook, change, rule, message):
    change(notebook)
    broken = getattr(notebook_rules, rule)(notebook)
    assert any(re.search(message, sentence) for sentence in broken), broken


RULE = "checks_what_it_asks_to_write"


@breaks(RULE, r"cell 16: expected stubs and their checks, got \['double'\], \[\]")
def stub_without_a_check(nb):
    nb.cells[STUB].source = nb.cells[STUB].source.replace("exercises.check(double)", "")


@breaks(RULE, r"cell 16: expected stubs and their checks, got \[\], \['double'\]")
def stub_that_gives_the_answer(nb):
    nb.cells[STUB].source = nb.cells[CHECKED].source


@breaks(RULE, "cell 16: expected the check to say that nothing is returned yet")
def stub_that_was_filled_in(nb):
    nb.cells[STUB].outputs = nb.cells[CHECKED].outputs


@breaks(RULE, "cell 16: expected the check to say that nothing is returned yet")
def stub_of_a_test_that_is_right(nb):
    ask_for_a_test(nb, "right.")


@breaks(RULE, "cell 16: expected the check to say that nothing is returned yet")
def stub_of_a_test_of_which_nothing_is_said(nb):
    ask_for_a_test(nb, "it lets everything through.")
    nb.cells[STUB].outputs = []


@breaks(RULE, "cell 16: no cell with the tag 'hint' follows")
def stub_without_a_hint(nb):
    nb.cells[HINT] = solution()


@breaks("has_exercises_with_solutions", "cell 17: the tag 'hint' and <details>")
def hint_in_the_open(nb):
    nb.cells[HINT].source = "Add."


@breaks(RULE, "no solution of double passes its check")
def solution_that_fails_its_check(nb):
    nb.cells[CHECKED].outputs = [stream("double: the sign is turned.\n")]


@breaks(RULE, "no solution of double passes its check")
def solution_that_is_not_checked(nb):
    nb.cells[CHECKED].source = nb.cells[CHECKED].source.replace("exercises.check(double)", "")


@breaks(RULE, "cell 18: checks triple, which no stub asks for")
def check_of_another_function(nb):
    nb.cells[CHECKED].source += "\nexercises.check(triple)"


def ask_for_a_test(nb, verdict):
    for n in (STUB, CHECKED):
        nb.cells[n].source = nb.cells[n].source.replace("double", "test_double")
    nb.cells[STUB].outputs = [stream(f"test_double: {verdict}\n")]
    nb.cells[CHECKED].outputs = [stream("test_double: right.\n")]


def test_a_stub_of_a_test_is_told_something_else(notebook):
    ask_for_a_test(notebook, "it lets everything through.")
    assert notebook_rules.checks_what_it_asks_to_write(notebook) == []


def test_every_rule_is_broken_by_something():
    assert {param.values[1] for param in BREAKS} == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        ("print(1)", ["nbval-ignore-output"]),
        ("print(1)", ["nbval-skip"]),
        ("# NBVAL_IGNORE_OUTPUT\nprint(1)", []),
        ("print(1)\n  ## NBVAL_SKIP", []),
    ],
)
def test_ignored_cells_are_counted(notebook, source, tags):
    assert notebook_rules.ignored_share({"good": notebook}) == (0, [])
    notebook.cells[PRINT].source = source
    notebook.cells[PRINT].metadata = {"tags": tags}
    assert notebook_rules.ignored_share({"book": notebook}) == (1 / 6, ["book cell 3"])
