"""One graph serves all tests of this folder: each leaves it as it found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.ros_agent import Graph, running


@pytest.fixture(scope="package")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    with running(tmp_path_factory.mktemp("graph")) as graph:
        yield graph


@pytest.fixture
def acting(graph: Graph) -> Graph:
    """The graph while all is well."""
    graph.acts()
    return graph
