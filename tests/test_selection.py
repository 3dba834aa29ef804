"""SQL of users reads: what may open files, and what is refused because it could write."""

import pytest

from fairsweep import cli
from fairsweep.errors import FairsweepError
from fairsweep.pages import explore
from support.synthetic import build

WRITES = [
    "copy (select 1) to '{root}/plan/x.parquet'",
    "copy (select 1) to '{root}/plan/x.parquet'; select 1",
    "select 1; copy (select 1) to '{root}/plan/x.parquet'",
    "with x as (copy (select 1) to '{root}/plan/x.parquet') select 1",
    "WITH x AS MATERIALIZED (COPY (select 1) TO '{root}/plan/x.parquet') from x -- from (x)",
    "explain analyze copy (select 1) to '{root}/plan/x.parquet'",
    "export database '{root}/plan'",
    "attach '{root}/plan/x.duckdb'",
    "create table x as select 1",
    "create or replace temp table share as select 1",
    "drop table share",
    "delete from share",
    "with x as (delete from share returning *) from x",
    "set threads = 1",
    "pragma database_list",
    "install httpfs",
    "",
    "select 1;;select 2",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return build(tmp_path_factory.mktemp("selection"), seeds=2)


@pytest.fixture(scope="module")
def connection(store):
    return explore.connect(str(store.root))


def files(store) -> dict:
    return {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}


@pytest.mark.parametrize("query", WRITES)
def test_what_could_write_is_refused(store, connection, capsys, query):
    before = files(store)
    query = query.format(root=store.root)
    with pytest.raises(FairsweepError, match="must be one SELECT"):
        explore.query(connection, query)
    assert cli.run(["sql", query, "--store", str(store.root)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "must be one SELECT" in line
    assert explore.query(connection, "select count(*) from share").to_pylist() != [{"count_star()": 0}]
    assert files(store) == before


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) as n from plan;",
        "from share limit 3 -- the first",
        "with x as (from share), y as (from x) select * from y order by 1 desc /* all */ ;",
        "show tables",
        "describe share",
        "select 'copy; with insert' as text",
        "(select 1 as n) union all (select 2)",
        "values (1)",
    ],
)
def test_what_reads_is_answered_and_keeps_its_order(connection, query):
    answer = explore.query(connection, query)
    assert answer.num_rows > 0
    assert answer.to_pylist() == connection.sql(query).to_arrow_table().to_pylist()


def test_the_explorer_opens_the_files_of_its_store_alone(store, connection, tmp_path):
    beside = store.root.with_name(store.root.name + "-beside.csv")
    for path in (tmp_path / "x.csv", beside):
        path.write_text("a\n1\n")
        for query in (
            f"from '{path}'",
            f"from read_text('{path}')",
            f"from glob('{path}')",
            f"from read_blob('{path}')",
        ):
            with pytest.raises(explore.SqlError):
                explore.query(connection, query)


def test_sql_writes_where_it_is_asked_to(store, tmp_path, capsys):
    target = tmp_path / "share.csv"
    command = ["sql", f"copy (select 1 as n) to '{target}'", "--store", str(store.root)]
    assert cli.run([*command, "--write"]) == 0
    assert target.read_text() == "n\n1\n"
    capsys.readouterr()
    assert cli.run(["sql", f"from '{target}'", "--store", str(store.root), "--format", "csv"]) == 0
    assert capsys.readouterr().out == "n\n1\n"
