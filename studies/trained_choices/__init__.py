"""Does training on what `plumbline select` and `plumbline mix` choose beat the other ways to choose?

docs/method/trained_choices.md has what was registered and what came out. Parts are run in this order, and what is
finished in the work folder is not made again:

    python -m studies.trained_choices --part select --corpora FOLDER --work FOLDER --dsir-python PYTHON
    python -m studies.trained_choices --part mix --corpora FOLDER --work FOLDER
    python -m studies.trained_choices --part analyse --work FOLDER
"""
