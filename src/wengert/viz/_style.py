"""Colours and type, one set for every picture."""

LIGHT = {
    "paper": "#fbfaf8",
    "panel": "#ffffff",
    "ink": "#1d2127",
    "soft": "#646b75",
    "faint": "#dcd9d3",
    "frame": "#f3f1ec",
    "card": "#ffffff",
    "operation": "#55606e",
    "input": "#0f766e",
    "parameter": "#2f5fb3",
    "constant": "#8a8f98",
    "state": "#7a4fa3",
    "gradient": "#b4541a",
    "gradient-card": "#fdf5ee",
    "flow": "#8d97a5",
    "back": "#d39a72",
    "mark": "#c2255c",
    "focus": "#1a6fd0",
}
DARK = {
    "paper": "#14161a",
    "panel": "#1b1e24",
    "ink": "#e8e6e1",
    "soft": "#9aa1ac",
    "faint": "#343941",
    "frame": "#1a1d22",
    "card": "#22262d",
    "operation": "#93a0b0",
    "input": "#4fb8a8",
    "parameter": "#7ba4ea",
    "constant": "#8a919c",
    "state": "#b692d6",
    "gradient": "#e59a63",
    "gradient-card": "#2b241f",
    "flow": "#69737f",
    "back": "#96694a",
    "mark": "#ff6b9d",
    "focus": "#6db0ff",
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Helvetica Neue', Arial, sans-serif"


def variables(palette):
    """A palette as CSS custom properties."""
    return "".join(f"--{name}:{value};" for name, value in palette.items())


def sheet():
    """CSS that defines the colours for light and dark, as the system says or as the reader chose."""
    return (
        f":root{{color-scheme:light;{variables(LIGHT)}}}\n"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{variables(DARK)}}}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{variables(DARK)}}}\n"
        f"@media print{{:root:root{{color-scheme:light;{variables(LIGHT)}}}}}\n"
    )
