"""Decoding in worker processes: a picture that hangs or crashes a decoder costs that picture."""
