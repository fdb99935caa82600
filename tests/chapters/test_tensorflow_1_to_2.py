"""The table of *From TensorFlow 1 to 2* has every call of the five sources."""

import re
from pathlib import Path

import nbformat
import notebook_rules
import pytest

PAGE = Path(__file__).parents[2] / "chapters" / "tensorflow_1_to_2.ipynb"
NOTEBOOK = nbformat.read(PAGE, as_version=4)

# The dotted names in the listings of the sources, which are no part of the repository. A method
# stands under its class, where a listing writes `sess.run`, `rng.rand` or `param.get_value`.
CALLS = {
    # Source 0's listings were pictures, which are lost: the calls of the public program of the same
    # recipe (see the bibliography).
    "source 0": """
        input_data.read_data_sets mnist.train.next_batch tf.placeholder tf.float32 tf.Variable
        tf.random_normal tf.constant tf.sigmoid tf.add tf.subtract tf.multiply tf.matmul
        tf.transpose tf.square tf.reduce_mean tf.reduce_sum tf.assign tf.equal tf.argmax tf.cast
        tf.global_variables_initializer tf.Session tf.Session.run""",
    "source 1": """
        tf.placeholder tf.int32 tf.float32 tf.contrib.rnn.BasicLSTMCell
        tf.contrib.rnn.BasicLSTMCell.zero_state tf.Tensor.eval tf.Session.run""",
    "source 2": """
        tf.reduce_mean tf.square tf.train.GradientDescentOptimizer tf.train.MomentumOptimizer
        tf.train.AdamOptimizer tf.train.Optimizer.minimize np.random.RandomState
        np.random.RandomState.rand tf.placeholder tf.float32 tf.Variable tf.random_normal tf.matmul
        tf.Session tf.Session.run tf.global_variables_initializer""",
    "source 3": """
        xrange open cPickle.load time.clock math.sqrt theano.config.floatX theano.shared
        theano.shared.get_value theano.function T.matrix T.ivector T.grad T.dot T.tanh
        T.nnet.softmax T.log T.argmax T.mean T.arange np.random.RandomState
        np.random.RandomState.uniform np.asarray np.zeros np.sqrt np.mean np.savez
        np.ndarray.astype""",
    "source 4": """
        np.random.normal np.random.choice np.repeat np.concatenate tf.Session tf.Session.run
        tf.placeholder tf.float32 tf.Variable tf.random_normal tf.mul tf.add tf.square
        tf.expand_dims tf.nn.sigmoid_cross_entropy_with_logits tf.train.GradientDescentOptimizer
        tf.train.MomentumOptimizer tf.train.AdagradOptimizer tf.train.AdadeltaOptimizer
        tf.train.Optimizer.minimize tf.global_variable_initializer tf.initialize_all_variables
        ops.reset_default_graph""",
}
STATEMENTS = {"print x"}  # of source 3: no name, and no call in Python 2


def rows():
    """Return the texts in each row of the tables that the page prints."""
    tables = [
        output.data["text/html"]
        for _, cell in notebook_rules.cells(NOTEBOOK, "code")
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    return [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td>(.*?)</td>", row)]
        for table in tables
        for row in table.splitlines()[1:]
    ]


ROWS = {row[0]: row for row in rows()}


@pytest.mark.parametrize("source", CALLS)
def test_every_call_of_a_source_stands_in_the_table(source):
    assert set(CALLS[source].split()) <= ROWS.keys()


def test_the_table_has_nothing_else_and_nothing_twice():
    listed = {call for calls in CALLS.values() for call in calls.split()}
    assert ROWS.keys() == listed | STATEMENTS
    assert len(ROWS) == len(rows())


def test_what_is_gone_has_a_successor():
    gone = {call for call, row in ROWS.items() if row[1] == "gone"}
    assert {"tf.mul", "tf.contrib.rnn.BasicLSTMCell", "theano.function", "xrange"} <= gone
    assert "itself" not in {ROWS[call][2].split(",")[0] for call in gone}


@pytest.mark.parametrize("call", ROWS)
def test_a_row_names_a_section_that_exists(call):
    sections = {title for _, _, title in notebook_rules.headings(NOTEBOOK)}
    assert ROWS[call][-1].split(": ")[-1] in sections
