"""The adapter for Qdrant servers."""

import os

# Read while gRPC is loaded. What fails reaches us as an exception and needs no line of its own.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
