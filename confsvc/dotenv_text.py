"""A value as a `.env` file holds it."""

__all__ = ["quoted"]


def quoted(text: str, *, interpolates: bool = True) -> str:
    """Return ``text`` so that python-dotenv reads exactly it, with interpolation unless ``interpolates`` is false."""
    text = text.replace("\\", "\\\\")
    if interpolates:
        # It interpolates inside any quotes. `${:-$}` is the default of a variable without a name: a dollar sign.
        text = text.replace("${", "${:-$}{")
        if text.endswith("\\"):  # which python-dotenv 1.2.1 and older take for the escape of the closing quote
            text = text[:-2] + "${:-\\}"
    if "\r" in text:  # which reading a text file would turn into a line feed
        return '"' + text.replace('"', '\\"').replace("\r", "\\r") + '"'
    return "'" + text.replace("'", "\\'") + "'"
