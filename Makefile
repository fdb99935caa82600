# Two commands are enough: `make book` and `make test`. `make help` lists the rest.
# Written for GNU make 3.81 and later; needs git, make and Python, nothing else.

# The first Python on the PATH that the course supports; PYTHON=... overrides it. If none is
# right, tools/environment.py says so in one sentence.
first = $(shell for p in $(1); do "$$p" tools/environment.py python 2>/dev/null && \
    { echo "$$p"; exit; }; done; echo python3)
ifndef PYTHON
PYTHON := $(call first,python3 python3.13 python3.12 python3.11)
endif

RUN := .venv/bin/python
SPEED := .venv-speed/bin/python
HTML := _build/html/index.html
NOTEBOOK = chapters/$(CHAPTER).ipynb

# The tests, side by side on all cores. The long ones come first: a core that has nothing left to
# do then waits for a short one.
SIDE_BY_SIDE := -m pytest -n logical

.PHONY: help book pdf slides weight test lint check weekly oldest newest timing text chapter mutants zoo exercises student instructor release grade benchmark speed digits bind equations data home pins clean python book-env test-env
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## list the commands
	@echo "Usage: make COMMAND"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
	    while IFS='|' read -r name text; do printf '  %-10s %s\n' "$$name" "$$text"; done

python:
	@command -v "$(PYTHON)" >/dev/null || { \
	    echo "Error: no Python found ($(PYTHON)): install Python 3.11 to 3.13." >&2; exit 1; }
	@"$(PYTHON)" tools/environment.py python

book-env: python
	@"$(PYTHON)" tools/environment.py book

test-env: python
	@"$(PYTHON)" tools/environment.py test

# A page that is not read again repeats no warning: after a failed build everything is read anew.
book: book-env ## build the HTML book in _build/html
	@echo "Building the book ..."
	@.venv/bin/jupyter-book build . -W -n --keep-going -q >/dev/null || { rm -rf _build/.doctrees; \
	    echo "Error: the book has warnings or errors, listed above." >&2; exit 1; }
	@echo "The book is built. Open it with a browser:"
	@"$(RUN)" -c "from pathlib import Path; print(' ', Path('$(HTML)').resolve().as_uri())"
	@echo "or with the command:  $(PYTHON) -m webbrowser $(HTML)"

weight: test-env ## weigh the pages beside the theme as it comes, into build/weight.md
	@"$(RUN)" tools/weight.py

pdf: test-env ## print the book into _build/pdf/backpropagation.pdf
	@"$(RUN)" tools/pdf.py

slides: test-env book ## make the slides of four lectures in _build/slides, out of the built book
	@"$(RUN)" tools/slides.py

test: test-env ## run the tests: package, chapters, book, known bugs; minutes
	@echo "Running the tests, a line for each file; \`make weekly\` runs those that wait for clocks ..."
	@"$(RUN)" $(SIDE_BY_SIDE) chapters tests/book tests/unit tests/plugins tests/chapters tests/teaching tests/tools tests/mutants

lint: test-env ## lint, format and types
	@"$(RUN)" -m ruff check .
	@"$(RUN)" -m ruff format --check .
	@"$(RUN)" -m mypy

check: lint ## lint, format, types and the quick unit tests: seconds instead of minutes
	@"$(RUN)" -m pytest -q -m "not slow" tests/unit

weekly: test-env ## run the tests that wait for clocks or take minutes
	@"$(RUN)" $(SIDE_BY_SIDE) -m weekly tests

# In environments of their own, made anew each time. OLDEST_PYTHON=... and NEWEST_PYTHON=...
# override the Python.
oldest: PYTHON = $(or $(OLDEST_PYTHON),$(call first,python3.11 python3.12 python3.13 python3))
newest: PYTHON = $(or $(NEWEST_PYTHON),$(call first,python3.13 python3.12 python3.11 python3))
oldest: WARNINGS := -W default  # old packages warn of the new ones that they bring along
oldest: ## package and chapters with the oldest Python and packages of pyproject.toml
newest: ## package and chapters with the newest Python and packages that can be had
oldest newest: python
	@"$(PYTHON)" tools/environment.py $@
	@.venv-$@/bin/python $(SIDE_BY_SIDE) $(WARNINGS) chapters tests/unit

# Readers have as many threads as cores; the tests have one.
THREADS := 1
timing: test-env ## time the chapters, one by one, for the page chapters/status.md; THREADS=2
	@for variable in OPENBLAS_NUM_THREADS TF_NUM_INTRAOP_THREADS TF_NUM_INTEROP_THREADS; do \
	    export "$$variable=$(THREADS)"; done; \
	    "$(RUN)" -m pytest -q chapters --timing chapters/status.md

mutants: test-env ## change every sign, factor, axis, ... one at a time; MODULES="losses fast"
	@"$(RUN)" tests/mutants/run.py $(MODULES)

zoo: test-env ## what sixteen published bugs cost, and who notices; half an hour; BUGS="A C"
	@"$(RUN)" tests/mutants/zoo.py $(BUGS)

# HOME_URL=https://github.com/owner/name: the repository of your class, not this one.
student instructor: test-env
student: ## the book for students, without any solution, in _build/student
instructor: ## the book with open solutions and remarks, in _build/instructor
student instructor:
	@echo "Building the $@'s edition ..."
	@"$(RUN)" tools/editions.py $@ "$(HOME_URL)"

# Your course's folder: what was released, handed in and marked. It is not part of this repository.
COURSE := course
release: test-env ## ASSIGNMENT=losses SEED=7: a problem set for students in COURSE=course
	@"$(RUN)" tools/assignments.py $(ASSIGNMENT) --seed "$(SEED)" --course "$(COURSE)"

grade: test-env ## ASSIGNMENT=losses SUBMISSIONS=folder: marks and feedback in COURSE=course
	@"$(RUN)" tools/grading.py "$(ASSIGNMENT)" "$(SUBMISSIONS)" --course "$(COURSE)" \
	    $(if $(DEADLINE),--deadline "$(DEADLINE)")

exercises: test-env ## compute anew what the checks of the exercises compare with
	@"$(RUN)" tools/exercises.py

benchmark: test-env ## time the recurrent layer beside TensorFlow's
	@"$(RUN)" benchmarks/recurrent.py

.venv-speed/finished: benchmarks/requirements.txt | python
	@"$(PYTHON)" tools/environment.py speed
	@touch $@

speed: .venv-speed/finished ## time training beside Keras, PyTorch, JAX, ...; OPTIONS="--rounds 5"
	@"$(SPEED)" benchmarks/training.py $(OPTIONS)

digits: test-env ## train 784-300-100-10 on MNIST, ten runs, to above 99.3 %; half an hour
	@"$(RUN)" benchmarks/digits.py

text: test-env ## CHAPTER=02_chain_rule: write the chapter as text to build/text/
	@"$(RUN)" tools/notebooks.py text "$(CHAPTER)"

chapter: test-env ## CHAPTER=02_chain_rule: take over edited text, execute, test
	@"$(RUN)" tools/notebooks.py chapter "$(CHAPTER)"
	@"$(RUN)" -m pytest -q "$(NOTEBOOK)" tests/chapters/test_notebooks.py -k "$(CHAPTER)"

bind: test-env ## LABELS="sigmoid": show formulas that have changed; bind these to their tests
	@PYTHONPATH=tools "$(RUN)" tests/chapters/bind.py $(LABELS)

equations: test-env ## compute all formulas anew and list them on the page chapters/equations.md
	@PYTHONPATH=tools "$(RUN)" tests/chapters/formula_page.py

data: test-env ## make code/backprop/data/mnist.npz again from the original files
	@"$(RUN)" tools/mnist.py

home: python ## HOME_URL=https://github.com/owner/name: set the repository's address
	@"$(PYTHON)" tools/home.py "$(HOME_URL)"

pins: python ## refresh the pinned packages in requirements/
	@"$(PYTHON)" tools/environment.py pins
	@"$(RUN)" tools/pins.py

clean: ## remove the built book, scratch text, checkpoints of make digits, and the environments
	rm -rf _build build .venv .venv-speed .venv-oldest .venv-newest
