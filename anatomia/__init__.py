"""Anatomia trains a language model from end to end and shows what happens inside."""

__version__ = "0.1.0"
