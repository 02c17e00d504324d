"""What learners ask about the two steps, answered in numbers: one section for each flag.

The sections of the steps themselves are made here, too. Read `text.py` and `page.py` next, which show them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...losses import BCEWithLogits
from ...network import Network
from ...norm import BatchNorm
from .arithmetic import evaluate
from .entry import Entry, Explanation, Section
from .record import Record
from .tiny import PART, Flags, TinyGAN

TITLE = "A training step of a GAN, number by number"
TEXT = """\
D, the discriminator, tells real points from those that G, the generator, makes of noise z. Each formula is Python: \
@ is the matrix product, .T the transpose, sum(axis=0) adds up the rows, and sigmoid(x) is 1 / (1 + exp(-x)). D0 is \
D's first layer; x is what a layer is given, y what it makes of it, and a d before a name means the derivative of the \
loss with respect to it. A number with four digits is rounded, a shorter one is exact."""
OF_D = """\
D is shown real points and G's. Its loss is small if it gives the real ones large outputs, and the others small ones. \
The gradient of this loss runs back through D, and ends at D's first layer: to D, the points are constants. \
The value of the loss comes last, because no gradient needs it."""
OF_G = """\
G makes new points, and D judges them. G's loss is small if D takes them for real. Its gradient runs back through D \
to the points, where it says how each should move, and on into G. D's own weights stay, so their gradients are never \
computed."""
NO_GRADIENT = {
    "D": "none, because the step of D stops at the points",
    "G": "never computed, because the step of G moves G alone",
}


def explain(flags: Flags) -> Explanation:
    """The two steps of the tiny GAN, and the answers to the flags' questions."""
    of_D, of_G = TinyGAN(flags).explained()
    sections = [
        Section("D", "D's step", OF_D, without_gradient(of_D, "D", "Gz")),
        Section("G", "G's step", OF_G, without_gradient(of_G, "G", "D")),
    ]
    asked = {
        through_fakes: flags.through_fakes,
        saturating: flags.saturating,
        mixed_batch: flags.mixed_batch,
        label: flags.label != 1,
        same_fake: flags.same_fake,
    }
    sections += [answer(of_D, of_G, flags) for answer, wanted in asked.items() if wanted]
    return Explanation(TITLE, TEXT, sections)


def without_gradient(record: Record, key: str, networks: str) -> list[Entry]:
    """The step's entries; those of networks that it leaves alone say why they have no gradient."""
    entries = record.finish()
    for entry in entries:
        layered = entry.part in ("given", "forward") and (entry.name[0] in networks or entry.name == "fake")
        if layered and not entry.gradient_name:
            entry.no_gradient = NO_GRADIENT[key]
    return entries


class Answer(Record):
    """The entries of an answer. They are about arrays of the two steps, under names of their own."""

    def __init__(self) -> None:
        super().__init__({}, {})
        self.part = "answer"

    def quoted(self, name: str, source: Entry, what: str) -> Any:
        """An array of a step, which was recorded there."""
        self.given(source.values, name, what, lines=source.lines)
        return source.values


def through_fakes(of_D: Record, of_G: Record, flags: Flags) -> Section:
    answer = Answer()
    last = [next(entry for entry in reversed(record.entries) if entry.name == "G.grads") for record in (of_D, of_G)]
    thrown = answer.quoted("thrown_away", last[0], "G's gradient of D's loss, from D's step")
    kept = answer.quoted("kept", last[1], "G's gradient of its own loss, which G's step writes over it")
    answer.given(thrown @ kept, "product", "below 0 if they would move G in opposite directions", PRODUCT)
    before = answer.quoted("before", of_D["G0.W"], "G's first weights before D's step")
    after = answer.quoted("after", of_G["G0.W"], "and after it")
    answer.given(after - before, "moved", "how far D's step has moved them", "after - before")
    counts = [products(entry) for entry in of_D.entries if entry.part == PART and "@" in entry.formula]
    saved = " + ".join("*".join(map(str, count)) for count in counts)
    total = np.float64(sum(map(math.prod, counts)))
    answer.given(total, "saved", "multiplications that the detach saves, layer by layer", saved)
    text = """\
D's step could send its gradient on through the fake points into G: the part "through the fakes" of D's step does so. \
What it finds is how D's loss would change with G's weights. Nobody asks for that: no optimizer takes a step with it, \
G doesn't move in D's step, and G's step writes its own gradient over it. Leaving it out saves work and changes \
nothing. \
Other libraries compute the gradient of everything that led to a loss, so there the fake points are cut off by a \
detach."""
    return Section("through-fakes", "Why detach?", text, answer.finish())


def products(entry: Entry) -> tuple[int, ...]:
    """The sizes of a matrix product: rows, terms of each sum, columns."""
    left, right = (evaluate(side, entry.operands) for side in entry.formula.split(" @ "))
    return (*left.shape, right.shape[1])


PRODUCT = "(thrown_away * kept).sum()"


def saturating(of_D: Record, of_G: Record, flags: Flags) -> Section:
    answer, loss = Answer(), BCEWithLogits(reduction="sum").bind(dtype=np.float64)
    here = answer.quoted("logits", of_G["logits"], "what D says of the fake points in this step")
    sure = answer.given(np.array([[-2.0], [-4.0], [-6.0], [-8.0]]), "sure", "what a D says that is more and more sure")
    for name, x in (("logits", here), ("sure", sure)):
        answer.given(loss.probability(x), f"D_of_{name}", "the probability of real", f"sigmoid({name})")
        used = answer.given(loss.backward(x, 1.0), f"slope_{name}", "of -log D, which is used", f"sigmoid({name}) - 1")
        other = answer.given(-loss.backward(x, 0.0), f"saturating_{name}", "of log(1 - D)", f"-(sigmoid({name}) - 0)")
        share = f"saturating_{name} / slope_{name}"
        answer.given(other / used, f"share_{name}", "what is left of the slope", share)
    text = """\
Both forms want D's output for fake points to grow: both slopes are negative. But early in training D is sure that \
they are fake, its probability of real is near 0, and the slope of log(1 - D) is near 0 with it: G learns nothing just \
when it is worst. The slope of -log D is near -1 then. The two are equal where D says 1/2."""
    return Section("saturating", "Saturating or not?", text, answer.finish())


def mixed_batch(of_D: Record, of_G: Record, flags: Flags) -> Section:
    answer = Answer()
    real = answer.quoted("real_x", of_D["D0.y"], "what BatchNorm is given for the real points")
    fake = answer.quoted("fake_x", of_D["D0.y2"], "and for the fake ones")
    both = answer.given(np.concatenate([real, fake]), "both", "the two as one batch", "concatenate([real_x, fake_x])")
    norm = Network([BatchNorm(3)], 3, dtype=np.float64)
    for name, x in (("real_x", real), ("fake_x", fake), ("both", both)):
        answer.given(x.mean(axis=0), f"mean_{name}", "the mean of each column", f"{name}.mean(axis=0)")
        answer.given(np.sqrt(x.var(axis=0) + 1e-05), f"std_{name}", "and its standard deviation", STD.format(name))
        normal = answer.given(norm.forward(x).copy(), f"y_{name}", "normalised", NORMALISED.format(name))
    n = len(real)
    answer.given(normal[:n].mean(axis=0), "real_mean", "the mean of the real ones in it", f"y_both[:{n}].mean(axis=0)")
    answer.given(normal[n:].mean(axis=0), "fake_mean", "and of the fake ones", f"y_both[{n}:].mean(axis=0)")
    text = """\
Shown separately, real and fake points are each normalised to mean 0: D has to look at their shape. In one batch, the \
mean and the deviation are of both kinds, so on average the real rows lie on one side of 0 and the fake ones on the \
other, and D can tell them apart by that alone. In G's step there are no real points in the batch, so what D has \
learned of the mixture does not hold there. That is why the two are shown separately to a D with BatchNorm."""
    return Section("mixed-batch", "Why real and fake apart with BatchNorm?", text, answer.finish())


STD = "sqrt((({0} - mean_{0}) ** 2).mean(axis=0) + 1e-05)"
NORMALISED = "({0} - mean_{0}) / std_{0}"


def label(of_D: Record, of_G: Record, flags: Flags) -> Section:
    answer, t = Answer(), flags.label
    here = answer.quoted("real_logits", of_D["real_logits"], "what D says of the real points in this step")
    sure = answer.given(np.array([[1.0], [2.0], [4.0], [8.0]]), "sure", "what a D says that is more and more sure")
    loss = BCEWithLogits(reduction="sum").bind(dtype=np.float64)
    for name, x in (("real_logits", here), ("sure", sure)):
        answer.given(loss.backward(x, 1.0), f"slope_{name}", "of the term with label 1", f"sigmoid({name}) - 1")
        answer.given(loss.backward(x, t), f"smooth_{name}", f"with label {t:g}", f"sigmoid({name}) - {t:g}")
    best = answer.given(np.log(t / (1 - t)), "best", "the output at which the slope is 0", f"log({t:g} / (1 - {t:g}))")
    least = f"maximum(best, 0) - best * {t:g} + log1p(exp(-abs(best)))"
    answer.given(loss.forward(np.array([best]), t), "least", "the term there, which can't be less", least)
    text = f"""\
With label 1 the slope is always negative: D gains by saying more and more, without end. With label {t:g} it is 0 at \
one output and positive beyond it, so D is pulled back from being too sure, and keeps a slope for G to learn from. \
Fake points keep the label 0: with a label above 0 for them, too, D would hold on to what G makes now."""
    return Section("label", f"What does the label {t:g} do?", text, answer.finish())


def same_fake(of_D: Record, of_G: Record, flags: Flags) -> Section:
    answer = Answer()
    rows = [entry.name for entry in of_D.entries]
    before = of_D["fake_logits" if "fake_logits" in rows else "logits"]
    first = answer.quoted("before", before, "what D says of the fake points before its update")
    then = answer.quoted("after", of_G["logits"], "and of the same points after it")
    answer.given(then - first, "change", "so they must go through D once more", "after - before")
    text = """\
G is trained here on the points that D has just seen. That saves one forward pass of G, and its backward pass may use \
what that pass has stored, because G's weights are still the same. D's pass has to be run again, because D has moved \
in between. The gradient is as right as with fresh points, but of fewer different ones: each noise vector serves \
twice."""
    return Section("same-fake", "May G be trained on the same fake points?", text, answer.finish())
