"""A workflow's graph, drawn: as text, as an SVG, for Mermaid and for Graphviz."""
