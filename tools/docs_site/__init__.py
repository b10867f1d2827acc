"""The documentation site: `python -m tools.docs_site FOLDER` builds it, in both languages, from what lies in the repository.

Pages that are written for it are in `docs/site/en` and `docs/site/ja`; other documents are shown where they lie
(`documents.py`). The reference is made from the source: public names from their docstrings, commands from their own help.
"""
