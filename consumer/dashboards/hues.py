"""Grafana's names of colours as they look on white, for pictures that are drawn without Grafana."""

from typing import Final

_HUES: Final = {
    "red": "#e02f44",
    "dark-red": "#c4162a",
    "light-red": "#ff7383",
    "orange": "#e0752d",
    "light-orange": "#ffb357",
    "yellow": "#d8a800",
    "dark-yellow": "#a67c00",
    "light-yellow": "#f2cc0c",
    "green": "#56a64b",
    "dark-green": "#37872d",
    "light-green": "#96d98d",
    "blue": "#3274d9",
    "dark-blue": "#1f60c4",
    "light-blue": "#8ab8ff",
    "purple": "#a352cc",
    "dark-purple": "#8f3bb8",
    "light-purple": "#ca95e5",
}
# For lines that nobody gave a colour; neighbours differ.
PALETTE: Final = (
    "#3274d9",
    "#e0752d",
    "#56a64b",
    "#a352cc",
    "#d8a800",
    "#e02f44",
    "#2c9c9c",
    "#8e6b4f",
    "#e377c2",
    "#7f7f7f",
)


def to_hue(color: str) -> str:
    """Return what CSS and SVG know a colour by; what has no name in Grafana stays as it is."""
    return _HUES.get(color, color)
