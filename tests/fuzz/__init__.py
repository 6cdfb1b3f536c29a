"""Entries for a fuzzer: `TestOneInput(data)`, as Atheris takes it; each runs by itself, `python -m tests.fuzz.parser`."""
