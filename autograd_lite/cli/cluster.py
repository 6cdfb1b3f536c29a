"""A fit of the command line on a Dask cluster that is there already."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import ClusterError, MissingPackageError
from ..fit.cluster import ClusterRows
from ..fit.steps.bar import Bar
from ..interrupt import deferred_interrupt
from ..tables import Parts
from .output import say_note

PATIENCE = 30  # seconds for a scheduler to answer


@contextmanager
def connected(address: str, wait: float = PATIENCE) -> Iterator[Any]:
    """A client of a scheduler, by its address or the file that it wrote; after so many seconds it is an error.

    TLS and whatever else a connection takes is in Dask's own settings.
    """
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise MissingPackageError("--cluster needs Dask: pip install 'autograd-lite[cluster]'") from error
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is the matter is said here
    try:
        found = json.loads(Path(address).read_text(encoding="utf-8"))["address"] if address.endswith(".json") else address
        # asked first: a client that was never made whole takes a minute to go
        import_module("distributed.comm.addressing").get_address_host_port(found)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"--cluster {address}: not a scheduler's address, as tcp://host:8786, nor the file of one "
            f"({str(error) or type(error).__name__}): give what dask scheduler printed or wrote"
        ) from None
    try:
        client: Any = distributed.Client(found, timeout=max(1.0, wait), set_as_default=False)
    except TypeError as error:  # Dask's word for a tls:// address without certificates
        raise ClusterError(
            f"--cluster {address}: {error}: name the certificates in Dask's settings, distributed.comm.tls"
        ) from None
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"--cluster {address}: no scheduler answers there ({str(error) or type(error).__name__}): start one, dask scheduler"
        ) from None
    with client:
        yield client


@contextmanager
def spread(address: str, parts: Parts, *, mixed: bool, wait: float) -> Iterator[ClusterRows]:
    """The rows of some files on the workers of a scheduler."""
    reading = Bar(1, what="shares read")
    with connected(address, min(wait, PATIENCE)) as client, ExitStack() as stack:
        with deferred_interrupt() as pause:  # for as long as rows are read; what is done with them has its own
            given = ClusterRows(parts, client, mixed=mixed, wait=wait, pause=pause, said=reading.count, note=say_note)
            rows = stack.enter_context(given)
        reading.clear()
        yield rows


@contextmanager
def each_of(address: str) -> Iterator[Callable[..., list[Any]]]:
    """A map over items that the workers of a scheduler do, each by itself."""
    with connected(address) as client:
        yield lambda one, items: client.gather(client.map(one, items, pure=False))
