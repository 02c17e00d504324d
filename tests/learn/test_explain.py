"""Everything that `python -m nanogan explain` says is so: its numbers, its formulas, its lines of code."""

from __future__ import annotations

import contextlib
import io
import re

import numpy as np
import pytest
from printed import problems, read_text
from running import ROOT

from nanogan.__main__ import main
from nanogan.learn.explain.arithmetic import evaluate
from nanogan.learn.explain.entry import Explanation
from nanogan.learn.explain.questions import explain
from nanogan.learn.explain.text import WIDTH, as_text
from nanogan.learn.explain.tiny import Flags

FLAGS = {
    "plain": Flags(),
    "through-fakes": Flags(through_fakes=True),
    "saturating": Flags(saturating=True),
    "mixed-batch": Flags(mixed_batch=True),
    "label": Flags(label=0.9),
    "same-fake": Flags(same_fake=True),
    "all": Flags(through_fakes=True, saturating=True, mixed_batch=True, label=0.8, same_fake=True),
}


@pytest.fixture(scope="module", params=FLAGS)
def explanation(request: pytest.FixtureRequest) -> Explanation:
    return explain(FLAGS[request.param])


def test_every_formula_gives_what_the_library_computed(explanation: Explanation) -> None:
    for section in explanation.sections:
        known: set[str] = set()
        for entry in section.entries:
            if entry.formula and "loss_at" not in entry.formula:
                assert entry.operands.keys() <= known, f"{entry.name} is explained before what it is made of"
                result = evaluate(entry.formula, entry.operands)
                np.testing.assert_allclose(result, entry.values, rtol=1e-9, atol=1e-15, err_msg=entry.name)
            known.add(entry.name)


def test_every_printed_number_follows_from_its_printed_formula(explanation: Explanation) -> None:
    sections = read_text(as_text(explanation, coloured=False))
    assert [len(section) for section in sections] == [len(section.entries) for section in explanation.sections]
    for section in sections:
        assert not list(problems(section))


def test_no_changed_number_goes_unnoticed() -> None:
    """The check of the text is checked: one digit of a value, a result, an operand or a formula is changed."""
    text = as_text(explain(Flags()), coloured=False)
    changes = {
        "a value": (r"(D0\.dW  2 x 3: .*\n +)-?0\.\d\d", r"\g<1>0.99"),
        "a result": (r"(D2\.dW\[0, 0\] = [^=]* = -?0\.\d)\d", r"\g<1>9"),
        "an operand": (r"(D2\.dW\[0, 0\] = [^=]*\*)\(?-?0\.\d+\)?", r"\g<1>0.9"),
        "a formula": (r"(D1\.dy = dlogits @ D2\.W)\.T", r"\g<1>"),
        "a factor": (r"(dreal_logits = real_slopes/)2", r"\g<1>4"),
        "a loss": (r"(loss_plus  a number: .*\n +\d\.\d{5})\d", r"\g<1>9"),
        "a gradient": (r"(gradient D0\.dW\n +\S+ +\S+ +\S+ +)\S+", r"\g<1>0.9999"),
    }
    for what, (pattern, replacement) in changes.items():
        changed, count = re.subn(pattern, replacement, text, count=1)
        assert count == 1 and changed != text, what
        try:
            found = [problem for section in read_text(changed) for problem in problems(section)]
        except ValueError:
            continue  # a formula of other shapes has no value at all
        assert found, what


def test_the_second_step_begins_with_what_the_first_has_left() -> None:
    D, G = explain(Flags()).sections[:2]
    assert D["D.params_new"].values is not None and D["D.params_new"].values[0] == G["D0.W"].values[0, 0]
    assert G["G0.W"].values.tolist() == D["G0.W"].values.tolist()


# ---- the lines of code

MADE_BY = {
    "D0.y": ["self.xp.matmul(x, self.W, out=y)  # x @ W", "y += self.b"],
    "D1.y": ["self.xp.multiply(x, self.slope, out=y)  # slope x", "return self.xp.maximum(x, y, out=y)"],
    "G3.y": ["return self.xp.tanh(x, out=self.y)"],
    "images": ["images[:n] = real", "images[n:] = fake"],
    "real_slopes": ["return sigmoid(self.xp, x) - t"],
    "dreal_logits": ["dx /= x.size"],
    "D0.dW": ["self.xp.matmul(self.x.T, dy, out=self.dW)  # x.T @ dy"],
    "D0.db": ["dy.sum(axis=0, out=self.db)"],
    "D.params_new": ["p -= work  # p <- p - m / (scale sqrt(v) + offset)"],
}


def test_the_lines_are_those_that_make_the_array() -> None:
    D = explain(Flags()).sections[0]
    assert {name: [line.code for line in D[name].lines] for name in MADE_BY} == MADE_BY


def test_every_line_is_where_the_text_says(explanation: Explanation) -> None:
    for section in read_text(as_text(explanation, coloured=False)):
        for entry in section:
            assert entry.code, entry.name
            for path, number, code in entry.code:
                source = (ROOT / path).read_text(encoding="utf-8").splitlines()[number - 1].strip()
                assert code and source.startswith(code.removesuffix("..."))


# ---- the text


def test_the_text_fits_a_terminal(explanation: Explanation) -> None:
    text = as_text(explanation, coloured=False)
    assert max(map(len, text.splitlines())) <= WIDTH and text.isascii() and not re.search(r"\bnan\b", text)
    coloured = as_text(explanation, coloured=True)
    assert "\033[" in coloured and re.sub(r"\033\[\d*m", "", coloured) == text


def test_the_entry_in_the_documentation_is_what_is_printed() -> None:
    page = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")
    (entry,) = re.findall(r"^```\n( \d.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert entry in as_text(explain(Flags()), coloured=False)


def test_where_no_gradient_is_computed_the_text_says_why() -> None:
    D, G = explain(Flags()).sections[:2]
    assert D["fake"].gradient is None and "stops" in D["fake"].no_gradient and D["G0.W"].no_gradient
    assert G["fake"].gradient is not None and G["D0.W"].gradient is None and "never" in G["D0.W"].no_gradient
    assert not [entry.name for entry in G.entries if entry.name.startswith(("D0.dW", "D2.dW", "D.grads"))]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "no_colour", "coloured"), [(Terminal, "", True), (Terminal, "1", False), (io.StringIO, "", False)]
)
def test_colours_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], no_colour: str, coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_colour)
    with contextlib.redirect_stdout(stream()) as printed:
        assert main(["explain"]) == 0
    assert ("\033[" in printed.getvalue()) == coloured
    assert "Go on with --through-fakes" in printed.getvalue()


# ---- the questions


def answer(flags: Flags, key: str):
    return next(section for section in explain(flags).sections if section.key == key)


def test_a_gradient_through_the_fakes_is_overwritten() -> None:
    found = answer(Flags(through_fakes=True), "through-fakes")
    G = explain(Flags(through_fakes=True)).sections[1]
    assert np.array_equal(found["kept"].values, G["G.grads"].values)
    assert not np.allclose(found["thrown_away"].values, found["kept"].values)
    assert not found["moved"].values.any() and found["saved"].values == 60


def test_the_saturating_slope_vanishes_for_a_sure_discriminator() -> None:
    found = answer(Flags(saturating=True), "saturating")
    assert (found["share_sure"].values < 0.14).all() and abs(found["saturating_sure"].values[-1, 0]) < 4e-4
    assert (found["slope_sure"].values < -0.88).all()


def test_a_mixed_batch_gives_the_kinds_away() -> None:
    found = answer(Flags(mixed_batch=True), "mixed-batch")
    assert np.allclose(found["y_real_x"].values.mean(axis=0), 0) and np.allclose(
        found["y_fake_x"].values.mean(axis=0), 0
    )
    assert np.allclose(found["real_mean"].values, -found["fake_mean"].values)
    assert (abs(found["real_mean"].values) > 0.1).all()


def test_a_smooth_label_turns_the_slope_around() -> None:
    found = answer(Flags(label=0.9), "label")
    assert (found["slope_sure"].values < 0).all() and found["smooth_sure"].values[0, 0] < 0 < found[
        "smooth_sure"
    ].values[-1, 0]
    assert abs(found["best"].values - np.log(9)) < 1e-12


def test_the_same_fake_points_are_judged_anew() -> None:
    found = answer(Flags(same_fake=True), "same-fake")
    D, G = explain(Flags(same_fake=True)).sections[:2]
    assert np.array_equal(D["fake"].values, G["fake"].values)
    assert (abs(found["change"].values) > 1e-4).all()
