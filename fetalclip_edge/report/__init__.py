"""One self-contained HTML page from typed blocks: words, tables, figures and pictures."""
