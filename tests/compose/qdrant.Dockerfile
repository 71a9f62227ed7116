# The wire stub in the shape of Qdrant's own image.
ARG SEARCHER_IMAGE
FROM ${SEARCHER_IMAGE}
USER root
COPY *.whl /tmp/wheels/
RUN ["python3", "-c", "import glob, zipfile; zipfile.ZipFile(glob.glob('/tmp/wheels/*.whl')[0]).extractall('/qdrant')"]
COPY tests /qdrant/tests
COPY entrypoint.sh /qdrant/entrypoint.sh
RUN chmod 755 /qdrant/entrypoint.sh && install -d -o 1000 -g 1000 /qdrant/storage /qdrant/snapshots
USER 1000:1000
WORKDIR /qdrant
CMD ["./entrypoint.sh"]
