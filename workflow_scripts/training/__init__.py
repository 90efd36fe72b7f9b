"""Models: recipes, training in one or several processes, and evaluation document by document."""
