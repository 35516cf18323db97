"""The default build, written without kit19: the baseline of ``python -m benchmarks.build``.

Plain Python parses the files (``str.split``, ``csv``, ``json``). ``datasets`` or plain lists hold the
records, Jinja renders them, and Python sets and dicts find benchmark text and near duplicates. Cards,
recipes, templates, the patterns of personal data and the list of particles come from kit19 as data.
Particles come from ``kit19.korean.attach``. The baseline uses nothing of kit19's reading, curating,
building, rendering or writing, so equal rows are an independent check, too.

kit19 also writes the ledger, the evidence for dropped records, the dataset card and the digests. The
baseline does not.
"""
