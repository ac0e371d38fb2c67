"""How far down an answer may go at a stated risk of being wrong.

An answer is a line of concepts, each stated with a membership; it goes down while the membership is
at or above a threshold. It is wrong if its deepest concept is false. No answer is not wrong.

Learn-then-Test (Angelopoulos, Bates, Candès, Jordan and Lei, arXiv 2110.01052), with fixed sequence
testing: thresholds are tried from the strictest on; one is good if so few of n labelled photos are
answered wrongly that, at a true risk of r or more, this would happen with a probability of at most
1 - confidence, P(Binomial(n, r) <= wrong). At the first that is not, the search ends. So with the
stated confidence the risk is at most r, for photos like the labelled ones: drawn from the same
source, independently, and not used for anything else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import takewhile

from hiersearch.errors import UsageError

__all__ = ["CONFIDENCE", "THRESHOLDS", "Trials", "binomial_tail", "risk_floor"]

CONFIDENCE = 0.95

THRESHOLDS = tuple(at / 100 for at in range(99, 4, -1))
"""Memberships down to which answers are tried, strictest first."""


@dataclass(frozen=True)
class Trials:
    """Answers to labelled photos at each of `THRESHOLDS`.

    Attributes:
        photos: How many were tried.
        wrong: At each threshold, how many of their answers were wrong.
        vocabulary: The id of the vocabulary that the answers are from.
    """

    photos: int
    wrong: tuple[int, ...]
    vocabulary: str

    def threshold(self, risk: float, confidence: float = CONFIDENCE) -> float | None:
        """The least membership of an answer at a risk.

        Args:
            risk: The greatest share of answers that may be wrong, in (0, 1).
            confidence: How sure it is that no more are.

        Returns:
            None where even the strictest threshold cannot promise that.

        Raises:
            UsageError: The risk is not in (0, 1).
        """
        _check(risk)
        good = takewhile(
            lambda pair: binomial_tail(pair[1], self.photos, risk) <= 1 - confidence,
            zip(THRESHOLDS, self.wrong, strict=True),
        )
        return min((threshold for threshold, _ in good), default=None)

    def least_risk(self, confidence: float = CONFIDENCE) -> float:
        """The least risk, to two decimals, that any threshold can promise; 1 if none."""
        risks = (at / 100 for at in range(1, 100))
        return next((risk for risk in risks if self.threshold(risk, confidence) is not None), 1.0)


def _check(risk: float) -> None:
    if not 0 < risk < 1:
        raise UsageError(f"the risk is {risk}, not between 0 and 1")


def risk_floor(risk: float, trials: Trials | None, vocabulary: str) -> float:
    """The least membership of an answer at a risk.

    Args:
        risk: The greatest share of answers that may be wrong, in (0, 1).
        trials: Of the model; None if there are none.
        vocabulary: The id of the vocabulary that the answer is from.

    Raises:
        UsageError: Nothing can be promised; the message says why.
    """
    _check(risk)
    calibrate = "hiersearch calibrate"
    if trials is None or not trials.photos:
        raise UsageError(
            "how often answers are wrong was not measured",
            hint=f"Calibrate the model with '{calibrate}'",
        )
    if trials.vocabulary != vocabulary:
        raise UsageError(
            "how often answers are wrong was measured with another vocabulary",
            hint=f"Calibrate the model with '{calibrate} --concepts FILE'",
        )
    found = trials.threshold(risk)
    if found is None:
        raise UsageError(
            f"no answer can be promised at a risk of {risk}: {trials.photos} photos tell of "
            f"{trials.least_risk()} at the least",
            hint=f"Allow a greater risk, or calibrate with more photos: '{calibrate}'",
        )
    return found


def binomial_tail(most: int, trials: int, chance: float) -> float:
    """P(Binomial(trials, chance) <= most), for a chance in (0, 1)."""
    of_all = math.lgamma(trials + 1)
    logs = (
        of_all
        - math.lgamma(at + 1)
        - math.lgamma(trials - at + 1)
        + at * math.log(chance)
        + (trials - at) * math.log1p(-chance)
        for at in range(min(most, trials) + 1)
    )
    return min(1.0, math.fsum(map(math.exp, logs)))
