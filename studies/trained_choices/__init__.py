"""Does training on the choices of `plumbline select` and `plumbline mix` beat other ways to choose?

docs/method/trained_choices.md has the registered plan, docs/results/trained_choices.md the results. Run the parts in
this order. Finished work in the work folder is not repeated:

    python -m studies.trained_choices --part select --corpora FOLDER --work FOLDER --dsir-python PYTHON
    python -m studies.trained_choices --part mix --corpora FOLDER --work FOLDER
    python -m studies.trained_choices --part analyse --work FOLDER
"""
