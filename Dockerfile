# Two images: `searcher` is the base installation, `indexer` also fits encoders.
# Where there is a folder `wheelhouse/` with wheels, nothing is fetched: see docs/containers.md.
ARG PYTHON_IMAGE=python:3.11.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS runtime
ENV PATH=/opt/lookalike/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    LOOKALIKE_HOME=/var/lib/lookalike \
    LOOKALIKE_MODELS_FOLDER=/models
# Volumes take over the owner of the folder that they lie on.
RUN mkdir /photos && install -d -o 1000 -g 1000 -m 0750 /var/lib/lookalike /models /thumbnails
USER 1000:1000
WORKDIR /tmp

FROM ${PYTHON_IMAGE} AS libraries
WORKDIR /build
RUN python3 -m venv /opt/lookalike
ENV PATH=/opt/lookalike/bin:$PATH
COPY deploy/docker/install.sh pyproject.toml constraints.txt wheelhouse* ./
RUN ["sh", "install.sh", "libraries"]

FROM libraries AS searcher-build
COPY LICENSE NOTICE README.md ./
COPY shared shared
COPY indexer indexer
COPY searcher searcher
RUN ["sh", "install.sh", "lookalike"]

FROM runtime AS searcher
COPY --from=searcher-build /opt/lookalike /opt/lookalike
EXPOSE 8765
HEALTHCHECK --start-period=30s --timeout=5s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
CMD ["searcher", "serve"]

FROM libraries AS indexer-build
RUN ["sh", "install.sh", "libraries", "train"]
COPY LICENSE NOTICE README.md ./
COPY shared shared
COPY indexer indexer
COPY searcher searcher
RUN ["sh", "install.sh", "lookalike"]

FROM runtime AS indexer
COPY --from=indexer-build /opt/lookalike /opt/lookalike
HEALTHCHECK --start-period=60s --timeout=10s CMD ["indexer", "health", "--live"]
CMD ["indexer", "watch"]
