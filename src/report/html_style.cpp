#include "report/html_parts.h"

namespace portwright::report {

std::string_view style_sheet() {
  return R"css(
:root {
  color-scheme: light dark;
  --ground: #fbfbf9; --raised: #ffffff; --ink: #1d2126; --soft: #667080;
  --line: #e2e3df; --grid: #ecece8; --band: #e6ecf5;
  --pass: #23794a; --warn: #98650b; --fail: #b93227; --skip: #8a919c;
  --pass-ground: #e8f4ec; --warn-ground: #faf1dd; --fail-ground: #fbe9e7;
  --skip-ground: #f0f1f2;
  --blue: #2f62a8; --violet: #8a5aa8; --only-torch: #d98a1f;
  --keyword: #8a3b8f; --string: #2c6e49; --comment: #8a919c; --number: #a35312;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --raised: #1b1f25; --ink: #e4e7eb; --soft: #98a2b0;
    --line: #2c323a; --grid: #242a31; --band: #202a38;
    --pass: #63c68d; --warn: #e0b055; --fail: #f0857b; --skip: #7f8894;
    --pass-ground: #182a20; --warn-ground: #2d2616; --fail-ground: #33201e;
    --skip-ground: #20252b;
    --blue: #7fb0f0; --violet: #c79be2; --only-torch: #f0c060;
    --keyword: #d094d6; --string: #8cc9a4; --comment: #7b8593; --number: #e0a06c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 1120px; margin: 0 auto; padding: 40px 28px 64px; }
h1 { font-size: 21px; font-weight: 600; line-height: 1.4; margin: 10px 0 6px; }
h2 { font-size: 15px; font-weight: 600; margin: 44px 0 4px; }
.about { color: var(--soft); margin: 0 0 14px; font-size: 13.5px; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas,
  "DejaVu Sans Mono", monospace; font-size: 12.5px; }
.badge {
  display: inline-block; padding: 2px 11px; border-radius: 99px; font-size: 13px;
  font-weight: 600; letter-spacing: .02em; border: 1px solid currentColor;
}
.pass { color: var(--pass); } .warn, .untrusted { color: var(--warn); }
.fail { color: var(--fail); } .skipped { color: var(--skip); }
.badge.pass, .tile.pass { background: var(--pass-ground); }
.badge.warn, .tile.warn, .badge.untrusted, .tile.untrusted {
  background: var(--warn-ground); }
.badge.fail, .tile.fail { background: var(--fail-ground); }
.badge.skipped, .tile.skipped { background: var(--skip-ground); }
.meta { color: var(--soft); font-size: 13px; margin: 0; }
.strip { display: grid; gap: 8px; margin-top: 22px;
  grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); }
.tile { border-radius: 8px; padding: 9px 12px 8px; text-decoration: none;
  border: 1px solid transparent; }
.tile:hover { border-color: currentColor; }
.tile b { display: block; font-weight: 600; font-size: 13.5px; color: var(--ink); }
.tile span { font-size: 12.5px; }
.card { background: var(--raised); border: 1px solid var(--line);
  border-radius: 10px; overflow: hidden; }
.plot { padding: 16px 18px 10px; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 11px;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.grid { stroke: var(--grid); } .limit { stroke: var(--fail); stroke-dasharray: 5 4; }
svg .limit-text { fill: var(--fail); } .band { fill: var(--band); }
.fed { stroke: var(--blue); } .chained { stroke: var(--violet); }
.fed-dot { fill: var(--blue); }
.chained-dot { fill: var(--raised); stroke: var(--violet); stroke-width: 1.5; }
svg .bad { fill: var(--fail); stroke: var(--fail); }
.legend { display: flex; gap: 20px; flex-wrap: wrap; font-size: 12.5px;
  color: var(--soft); padding: 2px 2px 6px; }
.legend i { display: inline-block; width: 18px; height: 9px; border-radius: 3px;
  margin-right: 7px; vertical-align: 0; }
.small { display: grid; gap: 10px;
  grid-template-columns: repeat(auto-fill, minmax(246px, 1fr)); }
.small figure { margin: 0; padding: 10px 12px 8px; }
.small figcaption { font-size: 12.5px; margin-bottom: 4px; display: flex;
  flex-wrap: wrap; justify-content: space-between; gap: 0 8px; }
.small figcaption span { color: var(--soft); flex: none; }
.small figcaption span.fail { color: var(--fail); }
.small svg text { font-size: 8.5px; }
.bar { fill: var(--blue); } .bar.over { fill: var(--fail); }
.map { aspect-ratio: 1; background: var(--band); border-radius: 3px; }
.map .both { fill: var(--blue); } .map .only-port { fill: var(--fail); }
.map .only-torch { fill: var(--only-torch); }
.axes { display: flex; justify-content: space-between; margin: 5px 0 0; color: var(--soft);
  font-size: 11px; }
.meter { width: 46%; } .meter u { display: block; height: 9px; margin-top: 7px;
  border-radius: 3px; background: var(--band); text-decoration: none; }
.meter i { display: block; height: 9px; border-radius: 3px;
  background: var(--blue); }
.dtype { font-size: 12.5px; padding: 1px 8px; border-radius: 99px;
  background: var(--skip-ground); }
.dtype.float32 { background: var(--warn-ground); color: var(--warn); }
.dtype.leak { background: var(--fail-ground); color: var(--fail);
  font-weight: 600; }
.wide { overflow-x: auto; } .cell span { margin-left: 9px; font-size: 12.5px;
  color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
.cell.warn, .cell.untrusted { background: var(--warn-ground); }
.cell.fail { background: var(--fail-ground); }
.flow td { padding: 4px 14px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: 12.5px; }
th, td { padding: 8px 14px; border-bottom: 1px solid var(--line);
  vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
td .place { color: var(--soft); display: block; font-size: 12.5px; }
details { margin-top: 6px; } summary { cursor: pointer; color: var(--soft);
  font-size: 12.5px; }
pre.trace { margin: 6px 0 0; white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: 11.5px; color: var(--soft); }
.panes { display: grid; grid-template-columns: 1fr 1fr; }
.pane { min-width: 0; border-right: 1px solid var(--line); }
.pane:last-child { border-right: 0; }
.pane header { padding: 8px 14px; border-bottom: 1px solid var(--line);
  font-size: 12.5px; color: var(--soft); }
.lines { height: 620px; overflow: auto; padding: 8px 0; position: relative; }
.lines div { display: flex; white-space: pre; line-height: 1.5; }
.lines div > a { flex: 0 0 46px; text-align: right; padding-right: 12px;
  color: var(--skip); user-select: none; text-decoration: none; }
.lines code { flex: none; font: inherit; }
.lines .linked { cursor: pointer; } .lines .linked > a { color: var(--blue); }
.lines .lit { background: var(--band); }
.lines .guilty { background: var(--fail-ground); }
.lines .guilty > a { color: var(--fail); font-weight: 700; }
.k { color: var(--keyword); } .s { color: var(--string); }
.c { color: var(--comment); font-style: italic; } .n { color: var(--number); }
input[type=search] { font: inherit; width: min(100%, 340px); padding: 6px 12px;
  color: var(--ink); background: var(--raised); border: 1px solid var(--line);
  border-radius: 8px; }
footer { color: var(--soft); font-size: 12.5px; margin-top: 40px; }
@media (max-width: 760px) { .panes { grid-template-columns: 1fr; }
  main { padding: 24px 14px; }
  .checks thead { display: none; }
  .checks tr { display: grid; grid-template-columns: 1fr auto auto;
    border-bottom: 1px solid var(--line); padding: 6px 0; }
  .checks tr:last-child { border-bottom: 0; }
  .checks td { border: 0; padding: 2px 14px; }
  .checks .said { grid-row: 2; grid-column: 1 / -1; }
  .checks .aside { display: none; } }
@media print {
  body { background: #fff; } main { max-width: none; padding: 0; }
  .lines { height: auto; overflow: visible; white-space: pre-wrap; }
  .card, .tile { break-inside: avoid; } .panes { break-inside: auto; }
  .lines div { white-space: pre-wrap; font-size: 9px; }
  .lines code { flex: 1; min-width: 0; overflow-wrap: anywhere; }
  h2, h2 + p, thead { break-after: avoid; } tr { break-inside: avoid; }
  input { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";
}

std::string_view script() {
  return R"js(
const panes = document.querySelectorAll('.lines');
const light = (row, on) => row && row.classList.toggle('lit', on);
const partners = row => (row.dataset.to || '').split(' ').filter(Boolean)
  .map(id => document.getElementById(id)).filter(Boolean);
const show = row => { const box = row.closest('.lines');
  box.scrollTo({ top: row.offsetTop - box.clientHeight / 3, behavior: 'smooth' }); };
panes.forEach(box => {
  for (const type of ['mouseover', 'mouseout']) box.addEventListener(type, e => {
    const row = e.target.closest('.linked'); if (!row) return;
    [row, ...partners(row)].forEach(r => light(r, type === 'mouseover'));
  });
  box.addEventListener('click', e => {
    const row = e.target.closest('.linked'); if (row) partners(row).slice(0, 1).forEach(show);
  });
});
document.querySelectorAll('.guilty').forEach(show);
)js";
}

}  // namespace portwright::report
