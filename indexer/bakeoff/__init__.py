"""Compares encoders on the user's own pictures.

`comparison.compare` is the whole of it. Pictures become an `Album`; `questions` turn vectors into
one figure per query; `fitting` trains in a process of its own and `entrants` loads what comes out;
`verdict` says in words what the figures bear out.
"""
