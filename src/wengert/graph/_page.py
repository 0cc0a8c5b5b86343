"""What notebooks show of a graph, a plan, or something compiled."""

from html import escape


class Page:
    """Notebooks show its graph as an interactive page, or text where there is no plan yet."""

    def _repr_html_(self):
        from ..viz import picture

        if getattr(self, "plan", self) is None:
            return f"<pre>{escape(self.explain())}</pre>"
        return picture(self, names={})._repr_html_()
