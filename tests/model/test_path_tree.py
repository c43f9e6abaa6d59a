from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.jsonpath import REMEMBERED, NoTree, Steps
from fastingest.model.path_tree import PathTree

_NODES = st.lists(
    st.lists(st.sampled_from(["a", "b", "f0", 0, 1]), max_size=4).map(tuple), max_size=6
)


@given(_NODES)
def test_a_tree_has_one_node_for_each_way_and_for_those_before_it(ways: list[Steps]) -> None:
    root = PathTree()
    found = {way: root.at(way) for way in ways}
    assert all(root.at(way) is node for way, node in found.items())
    nodes: list[PathTree] = [root]
    known: set[Steps] = {()}
    for node in nodes:
        nodes += node.steps.values()
        assert all(child.way == (*node.way, step) for step, child in node.steps.items())
    known.update(way[:length] for way in ways for length in range(len(way) + 1))
    assert sorted(map(repr, (node.way for node in nodes))) == sorted(map(repr, known))


def test_the_nodes_along_a_way_begin_with_the_root() -> None:
    root = PathTree()
    assert [node.way for node in root.along(("a", 0))] == [(), ("a",), ("a", 0)]
    assert list(root.along(())) == [root]


def test_a_class_of_trees_grows_its_own() -> None:
    class Named(PathTree):
        pass

    assert type(Named().at(("a", 0))) is Named


def test_steps_lead_on_in_an_object_or_in_an_array() -> None:
    root = PathTree()
    root.at(("a", 0, "b"))
    assert [node.container for node in root.along(("a", 0, "b"))] == [dict, list, dict, None]
    root.at((1,))
    with pytest.raises(NoTree):
        root.container  # noqa: B018  # to ask is enough


def test_what_is_remembered_is_none_of_the_same_message() -> None:
    root = PathTree()
    root.at((0, REMEMBERED, "symbol"))
    assert root.container is list
    with pytest.raises(NoTree):
        root.at((0,)).container  # noqa: B018  # to ask is enough
