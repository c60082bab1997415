"""How pages look: in light and in dark, from the width of a phone to that of paper."""

from typing import Final

# Colours of series differ in lightness too, and each stands out from its background by
# at least 3 to 1 (4.5 to 1 for the first two, which words are set in).
STYLE: Final = """
:root { color-scheme: light dark;
  --paper: #ffffff; --card: #f6f7f9; --ink: #1b1d23; --soft: #5a6070; --line: #d9dde4;
  --good: #1a6b3c; --bad: #b3261e; --unsure: #7a5200;
  --c0: #1f5fa8; --c1: #b8450f; --c2: #2b7a3d; --c3: #8e3b8c; --c4: #7d6208;
  --c5: #0b7178; --c6: #a8274a; --c7: #555b66; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14161b; --card: #1d2027; --ink: #e7e9ee; --soft: #a5adbb; --line: #363b46;
  --good: #6fd39a; --bad: #ff9c92; --unsure: #f0c268;
  --c0: #7db4f5; --c1: #ff9d6b; --c2: #7fd493; --c3: #dba0dd; --c4: #e0c667;
  --c5: #65d0d6; --c6: #ff93ad; --c7: #a9b0bd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .4rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 46rem; overflow-wrap: anywhere; }
p.lead, .soft { color: var(--soft); }
p.note { border-left: .25rem solid var(--unsure); padding-left: .8rem; }
code { font: .92em ui-monospace, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); }
.unsure { color: var(--unsure); }
.tiles { display: grid; gap: .8rem; margin: 1.2rem 0 0; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); }
.tiles li { background: var(--card); border-radius: .6rem; padding: .7rem .9rem; }
.tiles b { display: block; font-size: 1.35rem; line-height: 1.8rem; font-weight: 650;
  overflow-wrap: anywhere; } .tiles code { font-size: 1rem; }
.tiles li > span { color: var(--soft); font-size: .88rem; }
p.wide { max-width: none; } img { max-width: 100%; border-radius: .6rem; }
.scroll { overflow-x: auto; } .scroll table { min-width: 36rem; }
table { border-collapse: collapse; margin: .6rem 0; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; vertical-align: middle;
  border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--soft); font-size: .85rem; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
thead .number { text-align: right; }
td:last-child, thead th:last-child { padding-right: 0; }
tbody th { max-width: 20rem; overflow-wrap: anywhere; }
td.number svg { vertical-align: middle; }
details { margin: .5rem 0; } summary { color: var(--soft); cursor: pointer; }
.charts { display: grid; gap: 1.2rem; margin: .8rem 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
figure { margin: 0; background: var(--card); border-radius: .6rem; padding: .9rem; }
figcaption { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline;
  margin-bottom: .5rem; }
.plot { display: grid; grid-template-columns: auto 1fr; gap: .2rem .5rem;
  font-size: .8rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.plot .scale { display: flex; flex-direction: column; justify-content: space-between;
  text-align: right; }
.plot .along { grid-column: 2; display: flex; justify-content: space-between; }
.plot svg { width: 100%; height: 11rem; display: block; overflow: visible; }
.legend { list-style: none; margin: .5rem 0 0; padding: 0; font-size: .85rem;
  display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; }
.legend li { overflow-wrap: anywhere; }
.legend svg { width: 1.5rem; height: .8rem; vertical-align: baseline; }
svg .grid { stroke: var(--line); } svg text { fill: var(--ink); }
svg .bar { fill: var(--c0); } svg .minus { fill: var(--c1); }
svg .rail { fill: var(--line); }
svg .band { fill: var(--c0); opacity: .18; stroke: none; }
svg.bars { width: 6.5rem; height: .8rem; margin-left: .6rem; }
.s0 { stroke: var(--c0); } .s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); }
.s3 { stroke: var(--c3); } .s4 { stroke: var(--c4); } .s5 { stroke: var(--c5); }
.s6 { stroke: var(--c6); } .s7 { stroke: var(--c7); }
.history { position: relative; margin: .6rem 0; }
.history > svg { position: absolute; left: 0; top: 0; overflow: visible; }
.history table { margin: 0; table-layout: fixed; }
.history tr { height: 3.5rem; }
.history th, .history td { height: 3.5rem; padding-top: 0; padding-bottom: 0;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis; line-height: 1.35; }
.history tbody th { max-width: none; }
.history th div { overflow: hidden; text-overflow: ellipsis; }
.history .who { width: 15rem; } .history .state { width: 7rem; }
.history .soft { font-size: .85rem; }
.tag { border: 1px solid var(--c0); color: var(--c0); border-radius: .4rem;
  padding: 0 .35rem; font-size: .8rem; margin-left: .4rem; }
.n0 { fill: var(--c0); stroke: var(--c0); }
.n1 { fill: var(--c1); stroke: var(--c1); } .n2 { fill: var(--c2); stroke: var(--c2); }
.n3 { fill: var(--c3); stroke: var(--c3); } .n4 { fill: var(--c4); stroke: var(--c4); }
.n5 { fill: var(--c5); stroke: var(--c5); } .n6 { fill: var(--c6); stroke: var(--c6); }
.n7 { fill: var(--c7); stroke: var(--c7); } .hollow { fill: var(--paper); }
.side { fill: var(--soft); } .undo { stroke: var(--bad); }
footer { margin-top: 3rem; color: var(--soft); font-size: .88rem; }
@media (max-width: 42rem) { .history .who { display: none; }
  .history .state { width: 5.6rem; } main { padding: 1rem .8rem 3rem; } }
@media print { main { max-width: none; } figure, .tiles li { break-inside: avoid; }
  details > * { display: block; } }
"""
