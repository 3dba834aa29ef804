# /// script
# [tool.marimo.display]
# theme = "system"
# ///
"""Look into a store in the browser: shares, pictures, SQL over every view; `fairsweep explore` starts it."""

import marimo

app = marimo.App(
    width="medium", app_title="fairsweep explorer", css_file="report/plots.css", html_head_file="head.html"
)


@app.cell
def _():
    import os

    import marimo as mo

    from fairsweep.pages import explore

    store = mo.cli_args().get("store") or os.environ.get("FAIRSWEEP_STORE", "fairsweep-store")
    sql = explore.connect(store)
    return explore, mo, sql, store


@app.cell
def _(explore, mo, sql, store):
    sweeps = explore.sweeps(sql, store)
    mo.stop(not sweeps, mo.md(f"**No sweep yet** in {store}: start one with `fairsweep run SPEC`."))
    sweep = mo.ui.dropdown(sweeps, value=sweeps[0], label="sweep")
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
def _(mo):
    view = mo.ui.tabs({"Shares": "", "Pictures": "", "SQL": ""})
    mo.vstack([view])
    return (view,)


@app.cell
def _(choice, explore, mo, sql, view):
    mo.stop(view.value != "Shares")
    shares = explore.shares(sql, choice)
    save_shares = mo.download(
        lambda: explore.as_csv(shares),
        filename=f"{choice.sweep}-{choice.setting}-shares.csv",
        label="Download these shares",
    )
    mo.vstack([mo.Html(explore.share_plot(shares)), mo.hstack([save_shares], justify="start")])
    return


@app.cell
def _(explore, mo):
    order = mo.ui.dropdown(list(explore.ORDERS), value="seed", label="sort by")
    size = mo.ui.dropdown(["12", "24", "48", "96"], value="24", label="pairs on a page")
    return order, size


@app.cell
def _(mo, order, size, view):
    # Apart from the wall, which is drawn anew at each change, so that a control keeps the focus.
    mo.stop(view.value != "Pictures")
    mo.hstack([order, size], justify="start", wrap=True)
    return


@app.cell
def _(choice, explore, mo, sql, view):
    mo.stop(view.value != "Pictures")
    gathered = explore.gather(sql, choice)
    return (gathered,)


@app.cell
def _(gathered, mo, size):
    pages = max(1, -(-gathered // int(size.value)))
    page = mo.ui.number(1, pages, value=1, label=f"page (of {pages:,})")
    mo.hstack([page], justify="start")
    return (page,)


@app.cell
def _(choice, explore, gathered, mo, order, page, size, sql, store):
    shown = explore.pairs(sql, order.value, (page.value - 1) * int(size.value), int(size.value)) if gathered else []
    save = mo.download(
        lambda: explore.as_csv(shown),
        filename=f"{choice.sweep}-{choice.setting}.csv",
        label="Download these rows",
    )
    mo.vstack(
        [
            mo.Html(explore.wall(sql, store, choice.setting, shown)),
            mo.hstack([save], justify="start"),
        ]
    )
    return


@app.cell
def _(choice, explore, mo, sql, store, view):
    mo.stop(view.value != "Pictures")
    mo.Html(explore.training_wall(sql, store, explore.training(sql, choice)))
    return


@app.cell
def _(mo):
    editor = mo.ui.code_editor("from share limit 1000", language="sql", min_height=120)
    asked = editor.form(submit_button_label="Run")
    return (asked,)


@app.cell
def _(asked, explore, mo, sql, view):
    mo.stop(view.value != "SQL")
    answer = mo.md(
        "Any view of the store, such as `summary`, `share`, `plan`, `labels`: `show tables` lists them. "
        "Ctrl+Enter runs the query; Esc and then Tab leave the editor."
    )
    if asked.value:
        try:
            rows = explore.query(sql, asked.value)
            answer = mo.ui.table(rows, page_size=20, selection=None, show_column_summaries=False)
        except explore.SqlError as error:
            answer = mo.callout(mo.plain_text(str(error)), kind="danger")
    mo.vstack([asked, answer])
    return


if __name__ == "__main__":
    app.run()
