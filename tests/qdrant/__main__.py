"""Runs the stub until it is told to end.

Needs qdrant-client with what it brings along (numpy, pydantic, grpcio, portalocker) and
jsonschema-rs, nothing of this project outside `tests/qdrant`.
"""

from __future__ import annotations

import signal
import sys
import threading
import warnings

from tests.qdrant.acknowledging import CALLS, AcknowledgingHandler
from tests.qdrant.answering import Answering
from tests.qdrant.core import Core
from tests.qdrant.grpc_face import grpc_server
from tests.qdrant.keys import Keys
from tests.qdrant.options import parsed
from tests.qdrant.routes import Routes
from tests.qdrant.server import Handler, RestServer


def main() -> int:
    """Serve until SIGTERM or SIGINT; 0."""
    options = parsed()
    warnings.simplefilter("ignore")  # that local mode is not meant for such use is known here
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    core = Core(options.storage)
    keys = Keys(options.api_key, options.read_only_key)
    answering = Answering(Routes(core, options.version), keys)
    certificate = (options.tls_cert, options.tls_key) if options.tls_cert else None
    quick = options.acknowledge_only
    rest = RestServer(
        options.host,
        options.port,
        answering,
        handler=AcknowledgingHandler if quick else Handler,
        certificate=certificate,
    )
    threading.Thread(target=rest.serve_forever, args=(0.1,), daemon=True).start()
    calls = None
    if options.grpc_port:
        calls = grpc_server(
            options.host,
            options.grpc_port,
            answering,
            at_once=CALLS if quick else {},
            certificate=certificate,
        )
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    ended.wait()
    answering.stop()
    rest.shutdown()
    if calls is not None:
        calls.stop(grace=None).wait()
    core.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
