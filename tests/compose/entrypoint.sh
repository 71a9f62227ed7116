#!/bin/sh
# Keys come from the environment, as Qdrant's do.
exec python -m tests.qdrant --host 0.0.0.0 --port 6333 --grpc-port 6334 --storage /qdrant/storage
