#!/usr/bin/env bash
# Starts Qdrant with keys from secrets: it takes them from its environment alone, and an
# environment written into the compose file is readable by everybody who may ask Docker.
set -euo pipefail

QDRANT__SERVICE__API_KEY="$(</run/secrets/qdrant_key)"
QDRANT__SERVICE__READ_ONLY_API_KEY="$(</run/secrets/qdrant_read_key)"
if [[ ${#QDRANT__SERVICE__API_KEY} -lt 16 || ${#QDRANT__SERVICE__READ_ONLY_API_KEY} -lt 16 ]]; then
  echo "secrets qdrant_key and qdrant_read_key: a key has at least 16 characters" >&2
  exit 1
fi
export QDRANT__SERVICE__API_KEY QDRANT__SERVICE__READ_ONLY_API_KEY
cd /qdrant
exec ./entrypoint.sh "$@"
