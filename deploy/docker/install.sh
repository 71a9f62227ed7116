#!/bin/sh
# Installs into the virtual environment on PATH, for the Dockerfile:
#   install.sh libraries [EXTRA]   what the project needs, and an extra of it, with pip's cache off
#   install.sh lookalike           the project itself; then pip goes, which nothing needs any more
# Wheels beside this script take the place of the package index.
set -eu

install() {
  if ls ./*.whl >/dev/null 2>&1; then set -- --no-index --find-links . "$@"; fi
  python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
    --constraint constraints.txt "$@"
}

case $1 in
libraries)
  python - "${2-}" >requirements.txt <<'EOF'
import sys, tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extra = project["optional-dependencies"][sys.argv[1]] if sys.argv[1] else []
print(*project["dependencies"], *extra, sep="\n")
EOF
  install --requirement requirements.txt
  ;;
lookalike)
  install --no-deps .
  python -m pip uninstall --quiet --yes setuptools pip
  ;;
esac
