"""Answers the Inspect page's script on the threshold of a bank version: found, used, taken back.

Knows the review. Does not know how a threshold is found or stored.
"""

from __future__ import annotations

from exdd_core.review import Review, Wanted
from pages.html import Answer
from pages.inspect import questions
from pages.inspect.state import bank_answer


def threshold(review: Review, asked: questions.Sought) -> Answer:
    """Where the threshold would lie, on the version's own scale, with its interval, and that in words."""
    found = review.find_threshold(_wanted(asked), asked.bank)
    return {"value": found.value, "low": found.low, "high": found.high, "said": found.said}


def use_threshold(review: Review, asked: questions.Chosen) -> Answer:
    """Judge with this threshold from now on."""
    _, said = review.choose_threshold(_wanted(asked), asked.who, asked.bank)
    return bank_answer(review, review.bank_state(asked.bank)) | {"said": said}


def undo_threshold(review: Review, asked: questions.Person) -> Answer:
    """Take the threshold that holds back."""
    _, said = review.undo_threshold(asked.who, asked.bank)
    return bank_answer(review, review.bank_state(asked.bank)) | {"said": said}


def _wanted(asked: questions.Sought) -> Wanted:
    return Wanted(asked.way, asked.list, asked.rate, asked.miss, asked.value)
