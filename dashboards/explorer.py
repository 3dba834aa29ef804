# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Look into a store in the browser: shares, pictures, SQL over every view; `fairsweep explore` starts it."""

import marimo

app = marimo.App(width="medium", app_title="fairsweep explorer", css_file="report/plots.css")


@app.cell
def _():
    import os

    import marimo as mo

    from fairsweep import explore

    store = mo.cli_args().get("store") or os.environ.get("FAIRSWEEP_STORE", "fairsweep-store")
    sql = explore.connect(store)
    return explore, mo, sql, store


@app.cell
def _(explore, mo, sql, store):
    sweeps = explore.options(sql)["sweep"]
    mo.stop(not sweeps, mo.md(f"**No sweep yet** in {store}: start one with `fairsweep run SPEC`."))
    sweep = mo.ui.dropdown(sweeps, value=sweeps[-1], label="sweep")
    return (sweep,)


@app.cell
def _(explore, mo, sql, sweep):
    choices = explore.options(sql, sweep.value)
    model, setting, attribute, classifier = (
        mo.ui.dropdown(choices[name], value=next(iter(choices[name]), None), label=name)
        for name in ("model", "setting", "attribute", "classifier")
    )
    prompt = mo.ui.dropdown(["all", *choices["prompt"]], value="all", label="prompt")
    mo.vstack(
        [
            mo.md("# Explorer"),
            mo.hstack([sweep, model, setting, attribute, classifier, prompt], justify="start", wrap=True),
        ]
    )
    return attribute, classifier, model, prompt, setting


@app.cell
def _(attribute, classifier, explore, model, prompt, setting, sweep):
    choice = explore.Choice(
        sweep=sweep.value,
        model=model.value,
        setting=setting.value,
        attribute=attribute.value,
        classifier=classifier.value,
        prompt=None if prompt.value == "all" else prompt.value,
    )
    return (choice,)


@app.cell
def _(choice, explore, mo, sql):
    plot = mo.Html(explore.share_plot(sql, choice))
    return (plot,)


@app.cell
def _(explore, mo):
    order = mo.ui.dropdown(list(explore.ORDERS), value="seed", label="sort by")
    size = mo.ui.dropdown(["12", "24", "48", "96"], value="24", label="pairs on a page")
    return order, size


@app.cell
def _(choice, explore, mo, order, size, sql):
    first = explore.pairs(sql, choice, order.value, 0, 1)
    pages = -(-first[0]["total"] // int(size.value)) if first else 1
    page = mo.ui.number(1, pages, value=1, label=f"page of {pages:,}")
    return (page,)


@app.cell
def _(choice, explore, mo, order, page, size, sql):
    shown = explore.pairs(sql, choice, order.value, (page.value - 1) * int(size.value), int(size.value))
    save = mo.download(
        lambda: explore.as_csv(shown),
        filename=f"{choice.sweep}-{choice.setting}.csv",
        label="Download these rows",
    )
    wall = mo.vstack(
        [
            mo.hstack([order, size, page, save], justify="start", wrap=True),
            mo.Html(explore.wall(sql, choice.setting, shown)),
        ]
    )
    return (wall,)


@app.cell
def _(mo):
    editor = mo.ui.code_editor("from share limit 1000", language="sql", min_height=120)
    asked = editor.form(submit_button_label="Run")
    return (asked,)


@app.cell
def _(asked, explore, mo, sql):
    answer = mo.md("Any view of the store, such as `summary`, `share`, `plan`, `labels`: `show tables` lists them.")
    if asked.value:
        try:
            rows = explore.query(sql, asked.value)
            answer = mo.ui.table(rows, page_size=20, selection=None, show_column_summaries=False)
        except explore.SqlError as error:
            answer = mo.callout(mo.plain_text(str(error)), kind="danger")
    console = mo.vstack([asked, answer])
    return (console,)


@app.cell
def _(console, mo, plot, wall):
    mo.ui.tabs({"Shares": plot, "Pictures": wall, "SQL": console})
    return


if __name__ == "__main__":
    app.run()
