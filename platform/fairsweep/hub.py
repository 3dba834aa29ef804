"""Say why a model could not be fetched or loaded, and what to do about it."""

from fairsweep.errors import first_line

OUT_OF_REACH = "cannot be fetched, the Hub is out of reach: download it beforehand and give its folder"
# By class name, along the whole chain of causes: most libraries raise one OSError whose causes tell more.
_REASONS = {
    "GatedRepoError": "is gated: accept its licence on its Hub page, then set HF_TOKEN",
    "RevisionNotFoundError": "has no such revision: give a branch, a tag or a commit of it",
    "RepositoryNotFoundError": "is not on the Hub, or is private: check the id, or set HF_TOKEN",
    "LocalEntryNotFoundError": OUT_OF_REACH,
    "OfflineModeIsEnabled": OUT_OF_REACH,
    "ConnectError": OUT_OF_REACH,
    "ConnectionError": OUT_OF_REACH,
    "ConnectTimeout": OUT_OF_REACH,
}


def reason_of(error: BaseException) -> str:
    """Return the reason and the remedy as the end of a sentence that begins with the model's name."""
    names: set[str] = set()
    current: BaseException | None = error
    for _ in range(16):
        if current is None:
            break
        names |= {kind.__name__ for kind in type(current).__mro__}
        current = current.__cause__ or current.__context__
    for name, reason in _REASONS.items():
        if name in names:
            return reason
    return f"cannot be loaded: {first_line(error)}"
