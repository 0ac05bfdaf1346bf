"""Tests of trust: each file is about one kind of fault, and each test's name is a promise.

`python -m tests.trust` writes docs/TRUST.md from them.
"""
