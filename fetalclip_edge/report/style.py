"""The style sheet: light and dark, paper, and colours that colour-blind eyes can tell apart.

Series colours are those of M. Okabe and K. Ito, "Color Universal Design", 2008, lightened on a
dark ground; every series has a mark of its own as well.
"""

from __future__ import annotations

_LIGHT = """
--ground:#ffffff; --ink:#1b2026; --dim:#57606a; --rule:#d5dae0; --soft:#f4f6f8;
--note:#fff6dc; --note-rule:#b8860b; --cell:#0b5c96; --on-cell:#ffffff;
--s0:#0072b2; --s1:#d55e00; --s2:#009e73; --s3:#aa4a86; --s4:#8a6d00; --s5:#3b3b3b;
"""
_DARK = """
--ground:#14181d; --ink:#e4e8ed; --dim:#a0aab5; --rule:#39424c; --soft:#1c2229;
--note:#332a10; --note-rule:#e0b040; --cell:#6cb8ec; --on-cell:#0c1115;
--s0:#56b4e9; --s1:#f0883e; --s2:#3fc79a; --s3:#d98fbd; --s4:#e5c94a; --s5:#cfd6de;
"""
_REST = """
* { box-sizing: border-box; }
body { background: var(--ground); color: var(--ink); max-width: 60rem; margin: 0 auto;
  padding: 2rem 1.5rem 4rem; font: 16px/1.55 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: .9rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
.sub { color: var(--dim); overflow-wrap: anywhere; }
.note { background: var(--note); border-left: 4px solid var(--note-rule); padding: .6rem .9rem;
  border-radius: 0 4px 4px 0; }
.scroll { overflow-x: auto; margin: .9rem 0 1.2rem; }
table { border-collapse: collapse; font-size: .92rem; min-width: 60%; }
caption { caption-side: top; text-align: left; color: var(--dim); padding-bottom: .4rem; }
th { text-align: left; font-weight: 600; border-bottom: 2px solid var(--ink); }
th, td { padding: .34rem 1.1rem .34rem 0; vertical-align: top; }
td { border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 0; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1.1rem 0 1.6rem; }
figcaption { color: var(--dim); font-size: .9rem; margin-top: .3rem; max-width: 44rem; }
svg { max-width: 100%; height: auto; display: block; font: 13px system-ui, "Segoe UI",
  "Liberation Sans", sans-serif; }
img { max-width: 100%; height: auto; display: block; border-radius: 3px; background: #000; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr));
  gap: 1rem; align-items: start; }
.pictures figure { margin: 0; }
.t { fill: var(--ink); } .axis { fill: var(--dim); }
.grid { stroke: var(--rule); stroke-width: 1; } .base { stroke: var(--dim); stroke-width: 1.2; }
.guide { stroke: var(--ink); stroke-width: 1.5; }
.limit { stroke: var(--ink); stroke-width: 1.3; stroke-dasharray: 6 4; }
.whisker { stroke: var(--ink); stroke-width: 1.6; }
.bar { fill-opacity: .75; }
.mark { fill-opacity: .72; stroke: var(--ground); stroke-width: .7; }
.curve { fill: none !important; stroke-width: 2; }
.cell { fill: var(--cell); } .cell.none { fill: var(--soft); }
.count { fill: var(--ink); font-size: 14px; } .count.strong { fill: var(--on-cell); }
.count.none { fill: var(--dim); }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  figure, table, .note, .pictures figure { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
_SERIES = "\n".join(
    f".s{k} {{ fill: var(--s{k}); }} .curve.s{k} {{ stroke: var(--s{k}); }}" for k in range(6)
)

STYLE = (
    f":root {{ color-scheme: light dark; {_LIGHT} }}\n"
    f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}\n"
    f"{_SERIES}\n{_REST}"
)
