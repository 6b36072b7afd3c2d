"""Mutated images against the reader: a corpus, the mutations, the run over them."""
