"""The frame around the Data Docs: three small templates and one style, nothing from afar."""

from __future__ import annotations

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #1b1f24; background: #fff; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; } h2, h5 { font-size: 1.15rem; margin: 1.5rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border: 1px solid #d5dae0; }
th { background: #f2f4f7; } td.number { text-align: right; }
a { color: #0b5cad; } ul { margin: 0; padding-left: 1.2rem; }
.good { color: #1a7f37; } .bad { color: #b42318; font-weight: 600; }
.badge, .param-span { background: #eef1f5; border-radius: 4px; padding: 0 .3rem; }
.status { white-space: nowrap; font-weight: 600; }
li { overflow-wrap: anywhere; } .alert, .collapse { margin: .5rem 0; }
.btn, .hidden { display: none; } i { font-style: normal; font-weight: 600; }
i.fa-check-circle::before { content: "passed"; color: #1a7f37; }
i.fa-times::before { content: "failed"; color: #b42318; }
i.fa-exclamation-triangle::before { content: "not checked"; color: #b42318; }
@media (prefers-color-scheme: dark) {
  body { background: #14171a; color: #e6e9ec; } th { background: #22272c; }
  th, td { border-color: #3a4148; } a { color: #7ab7ff; }
  .badge, .param-span { background: #2a3036; } .good { color: #57c46b; } .bad { color: #ff8278; }
}
"""

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block title %}{% endblock %}</title>
<style>{{ style | safe }}</style>
</head>
<body>
"""

_VERDICT = """{% macro verdict(entry) %}
{% if not entry.is_passed %}<span class="bad">refused</span>
{% elif entry.failed %}<span class="bad">passed, with findings</span>
{% else %}<span class="good">passed</span>{% endif %}
{% endmacro %}
"""

RUNS_PAGE = (
    _HEAD.replace("{% block title %}{% endblock %}", "Data Docs")
    + """<h1>Data Docs</h1>
<p>What the gate found in the last
{% if runs | length > 1 %}{{ runs | length }} runs, newest first{% else %}run{% endif %}.</p>
<table>
<tr><th>run</th><th>market date</th><th>frames</th><th>refused</th><th>with findings</th></tr>
{% for address, entries in runs %}
{% set refused = entries | rejectattr("is_passed") | list %}
{% set found = entries | selectattr("is_passed") | selectattr("failed") | list %}
<tr><td><a href="{{ address }}">{{ entries[0].run_id }}</a></td>
<td>{{ entries | map(attribute="market_date") | max }}</td>
<td class="number">{{ entries | length }}</td>
<td class="number {{ 'bad' if refused }}">{{ refused | length }}</td>
<td class="number {{ 'bad' if found }}">{{ found | length }}</td></tr>
{% endfor %}
</table>
</body>
</html>
"""
)

RUN_PAGE = (
    _HEAD.replace("{% block title %}{% endblock %}", "Data Docs of {{ entries[0].run_id }}")
    + _VERDICT
    + """<p><a href="../index.html">all runs</a></p>
<h1>Run {{ entries[0].run_id }}</h1>
<table>
<tr><th>dataset</th><th>source</th><th>day</th><th>verdict</th><th>rules</th><th>rows accepted</th>
<th>rows in quarantine</th><th>rules that failed</th></tr>
{% for entry in entries %}
<tr><td><a href="{{ entry.page }}">{{ entry.dataset }}</a></td><td>{{ entry.source }}</td>
<td>{{ entry.market_date }}</td><td class="status">{{ verdict(entry) }}</td>
<td class="number">{{ entry.rule_count }}</td><td class="number">{{ entry.accepted_count }}</td>
<td class="number">{{ entry.quarantined_count }}</td><td>{{ entry.failed | join(", ") }}</td></tr>
{% endfor %}
</table>
</body>
</html>
"""
)

FRAME_PAGE = (
    _HEAD.replace("{% block title %}{% endblock %}", "{{ entry.dataset }} from {{ entry.source }}")
    + _VERDICT
    + """<p><a href="index.html">the run</a>, <a href="../index.html">all runs</a></p>
<h1>{{ entry.dataset }} from {{ entry.source }}, {{ entry.market_date }}: {{ verdict(entry) }}</h1>
<p>Run {{ entry.run_id }}, checked {{ entry.checked_at }}. {{ entry.accepted_count }} rows were
accepted, {{ entry.quarantined_count }} are in quarantine.</p>
{% set failed = report.results | rejectattr("is_passed") | list %}
{% if failed %}
<h2>What broke</h2>
<table>
<tr><th>rule</th><th>severity</th><th>rows</th><th>in words</th><th>for example</th></tr>
{% for result in failed %}
<tr><td>{{ result.rule_id }}</td><td>{{ result.severity }}, {{ result.status }}</td>
<td class="number">{{ result.bad_count }} of {{ result.total_count }}</td>
<td>{{ result.sentence }}</td>
<td><ul>{% for example in result.examples %}
<li>{{ example | shown }}</li>
{% endfor %}</ul></td></tr>
{% endfor %}
</table>
{% endif %}
<h2>Every expectation</h2>
{{ body | safe }}
</body>
</html>
"""
)
