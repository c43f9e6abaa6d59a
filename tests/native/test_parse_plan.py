from __future__ import annotations

from fastingest.native.kinds import Comparison, NodeKind, Own
from fastingest.native.parse_plan import ConditionPlan, Notation, plan_of
from fastingest.native.plan_tree import FlatNode
from tests.support.any_feed import schema_of


def test_the_root_leads_to_the_rows_and_a_row_to_its_columns() -> None:
    plan = plan_of(schema_of("price:float=p, at:timestamp[ms]=$.time", "data", "$.type=trade"))
    assert plan is not None
    kinds = {name: plan.nodes[node][:2] for name, node in plan.nodes[0].children}
    assert kinds == {
        b'"data"': (NodeKind.ROWS, 0),
        b'"time"': (NodeKind.LATER, 1),
        b'"type"': (NodeKind.CONDITION, 0),
    }
    assert {name: plan.nodes[node][:2] for name, node in plan.nodes[1].children} == {
        b'"p"': (NodeKind.COLUMN, 0)
    }
    assert [column.notation for column in plan.columns] == [Notation.DOUBLE, Notation.INTEGER]
    assert plan.columns[1].greatest == 253402300799999
    assert (plan.of_root, plan.conditions, plan.many) == (
        1,
        [ConditionPlan(Comparison.IS, (b"trade",), False)],
        True,
    )


def test_where_a_row_is_the_message_the_root_is_where_the_rows_are() -> None:
    plan = plan_of(schema_of("symbol=s, price:float=$.p", "", "$.e=trade,quote"))
    assert plan is not None
    assert plan.nodes[0] == FlatNode(NodeKind.ROWS)
    assert [name for name, _ in plan.nodes[1].children] == [b'"e"', b'"p"', b'"s"']
    assert (plan.of_root, plan.conditions, plan.many) == (
        0,
        [ConditionPlan(Comparison.IS, (b"trade", b"quote"), False)],
        False,
    )


def test_elements_of_an_array_that_lead_nowhere_have_their_place() -> None:
    plan = plan_of(schema_of("price:float=[2], side=[4].s"))
    assert plan is not None
    assert plan.is_array
    kind, _, children, _ = plan.nodes[1]
    assert kind is NodeKind.ARRAY
    assert [node >= 0 for _, node in children] == [False, False, True, False, True]
    side = plan.nodes[children[4][1]]
    assert (side[0], [name for name, _ in side[2]]) == (NodeKind.OBJECT, [b'"s"'])


def test_elements_from_the_end_come_behind_the_others() -> None:
    plan = plan_of(schema_of("a=[1], b=[-3], c=[-1]"))
    assert plan is not None
    kind, _, children, from_end = plan.nodes[1]
    assert (kind, from_end) == (NodeKind.ARRAY, 3)
    columns = [plan.nodes[node].of if node >= 0 else None for _, node in children]
    assert columns == [None, 0, 2, None, 1]


def test_each_member_or_element_leads_to_the_same_place() -> None:
    plan = plan_of(schema_of("a, k?=@key, side=@rows", "x=d[*].*.b, d[*].*.a, c?"))
    assert plan is not None
    children = {name: plan.nodes[node] for name, node in plan.nodes[0].children}
    assert children[b'"c"'] == FlatNode(NodeKind.ROWS, 2)
    elements = children[b'"d"']
    assert (elements.kind, elements.of) == (NodeKind.EACH_ELEMENT, 0b011)
    ((_, inner),) = elements.children
    members = plan.nodes[inner]
    assert (members.kind, members.of) == (NodeKind.EACH_MEMBER, 0b011)
    ((_, inner),) = members.children
    assert [name for name, _ in plan.nodes[inner].children] == [b'"a"', b'"b"']
    assert (plan.places, plan.required) == ([b"x", b"d[*].*.a", b"c"], 0b011)
    assert [column.own for column in plan.columns] == [None, Own.KEY, Own.ROWS]


def test_own_columns_are_not_read() -> None:
    plan = plan_of(schema_of("@received, symbol, @feed"))
    assert plan is not None
    assert len(plan.columns) == 1


def test_a_string_leads_to_what_is_in_its_text() -> None:
    plan = plan_of(schema_of("p, n=$.w|json.n", "w|json.rows", "$.w|json.type=trade"))
    assert plan is not None
    ((name, node),) = plan.nodes[0].children
    kind, _, children, _ = plan.nodes[node]
    assert (name, kind) == (b'"w"', NodeKind.EMBEDDED)
    ((_, inside),) = children
    assert {name: plan.nodes[node].kind for name, node in plan.nodes[inside].children} == {
        b'"n"': NodeKind.LATER,
        b'"rows"': NodeKind.ROWS,
        b'"type"': NodeKind.CONDITION,
    }


def test_a_string_is_read_as_text_or_as_json() -> None:
    assert plan_of(schema_of("w, p=w|json.p")) is None
