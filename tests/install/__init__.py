"""The base installation, tried as a new user would: no extras, a virtual environment of its own."""
